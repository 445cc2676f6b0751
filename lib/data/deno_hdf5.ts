/**
 * HDF5 files of Deno's file system.
 *
 * @module
 */
import { resolve } from "node:path";
import process from "node:process";
import { UserError } from "../errors.ts";
import { type H5wasm, type Hdf5Host, startsLikeZip } from "./hdf5_host.ts";

let loading: Promise<H5wasm> | undefined;

/**
 * Loads h5wasm, once per process. HDF5 sees no environment variables: it takes all of them when it
 * starts, which would need permission to read all, and can load plugins from a folder that one
 * names.
 */
export function loadH5wasm(): Promise<H5wasm> {
  return loading ??= load();
}

async function load(): Promise<H5wasm> {
  const environment = process.env;
  process.env = {};
  try {
    const { default: h5 } = await import("h5wasm");
    await h5.ready;
    return h5;
  } finally {
    process.env = environment;
  }
}

/** Returns whether a file starts like a zip archive. */
export async function isZip(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path);
    const head = new Uint8Array(4);
    return await file.read(head) === 4 && startsLikeZip(head);
  } catch (error) {
    throw new UserError(`${path}: cannot be read: ${(error as Error).message}`);
  }
}

/** Returns the size of a file in bytes. */
async function sizeOf(path: string): Promise<number> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new UserError(`${path}: expected an HDF5 file, found a folder`);
    return size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UserError(`${path}: no such file`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new UserError(`${path}: no permission to read: ${error.message}`);
    }
    throw error;
  }
}

/** The files of Deno's file system. */
export const denoFiles: Hdf5Host = { library: loadH5wasm, sizeOf, isZip, absolute: resolve };
