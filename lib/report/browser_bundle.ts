/**
 * Bundles a module of the program for browsers.
 *
 * @module
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

/**
 * Returns a module and all that it imports as one ES module.
 *
 * @param entry The module's file URL. What it imports must run in browsers.
 * @throws {Error} If it does not.
 */
export async function browserBundle(entry: URL): Promise<string> {
  // Loaded here because only pages need it.
  const { build, stop } = await import("esbuild");
  try {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(entry)],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "browser",
      target: "es2022",
      plugins: [packages],
      logLevel: "warning",
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Resolves npm packages as Deno does: by the import map, and among each other. */
export const packages: Plugin = {
  name: "packages",
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point") return undefined;
      const own = importer.startsWith(root) && !importer.includes("node_modules");
      return {
        path: own
          ? fileURLToPath(import.meta.resolve(path))
          : createRequire(importer).resolve(path),
      };
    });
  },
};
