/**
 * Loads h5wasm, the HDF5 library compiled to WebAssembly.
 *
 * @module
 */
import process from "node:process";

/** The package. */
export type H5wasm = typeof import("h5wasm").default;

let loading: Promise<H5wasm> | undefined;

/**
 * Loads h5wasm, once per process. HDF5 sees no environment variables: it takes all of them when it
 * starts, which would need permission to read all, and can load plugins from a folder that one names.
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
