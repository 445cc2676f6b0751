/**
 * HDF5 files in memory, for browsers.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { type H5wasm, type Hdf5Host, startsLikeZip } from "./hdf5_host.ts";

/**
 * Returns a host whose only files are the given ones.
 *
 * @param files Contents by name. Names have no folders.
 */
export function filesInMemory(files: ReadonlyMap<string, Uint8Array>): Hdf5Host {
  let loading: Promise<H5wasm> | undefined;
  const contents = (name: string) => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new UserError(`${name}: no such file`);
    return bytes;
  };
  const load = async () => {
    const { default: h5 } = await import("h5wasm/browser");
    const { FS } = await h5.ready;
    for (const [name, bytes] of files) FS.writeFile(`/${name}`, bytes);
    return h5;
  };
  return {
    library: () => loading ??= load(),
    // deno-lint-ignore require-await
    sizeOf: async (name) => contents(name).length,
    // deno-lint-ignore require-await
    isZip: async (name) => startsLikeZip(contents(name)),
    // Emscripten puts the current folder, the root, before a name.
    absolute: (name) => name.replace(/^\/*/, "/"),
  };
}
