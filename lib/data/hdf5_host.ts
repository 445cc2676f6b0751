/**
 * Where HDF5 files come from: `deno_hdf5.ts` reads those of Deno's file system, and
 * `memory_hdf5.ts` those that a browser has fetched.
 *
 * @module
 */

/** The package h5wasm, the HDF5 library compiled to WebAssembly. */
export type H5wasm = typeof import("h5wasm").default;

/** A source of HDF5 files. */
export interface Hdf5Host {
  /** Loads h5wasm, once. */
  library(): Promise<H5wasm>;
  /**
   * Returns the size of a file in bytes.
   *
   * @throws {UserError} If it is missing, a folder or not readable.
   */
  sizeOf(path: string): Promise<number>;
  /**
   * Returns whether a file starts like a zip archive.
   *
   * @throws {UserError} If it is not readable.
   */
  isZip(path: string): Promise<boolean>;
  /** Returns the path by which the library opens a file. */
  absolute(path: string): string;
}

/** Returns whether bytes start like a zip archive. */
export function startsLikeZip(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 4)) === "PK\x03\x04";
}
