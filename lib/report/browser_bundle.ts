/**
 * Bundles a module of the program for browsers.
 *
 * @module
 */
import { createRequire, isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import manifest from "../../deno.json" with { type: "json" };

/**
 * Returns a module and all that it imports as one ES module.
 *
 * @param entry The module's file URL. Its imports must run in browsers. Modules of the program that
 * are imported dynamically are left out.
 * @throws {Error} If a module does not run in browsers.
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
      plugins: [staticOnly, packages],
      logLevel: "warning",
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Leaves out the program's own modules that are imported dynamically. */
const staticOnly: Plugin = {
  name: "static-only",
  setup({ onResolve }) {
    onResolve(
      { filter: /^[.]/ },
      ({ path, kind, importer }) =>
        kind === "dynamic-import" && importer.startsWith(root)
          ? { path, external: true }
          : undefined,
    );
  },
};

/** Resolves npm packages as Deno does: by the import map, and otherwise among each other. */
export const packages: Plugin = {
  name: "packages",
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point") return undefined;
      // Packages import these only where they run in Node.
      if (isBuiltin(path)) return { path, external: true, sideEffects: false };
      const own = importer.startsWith(root) && !importer.includes("node_modules") ||
        Object.hasOwn(manifest.imports, path);
      return {
        path: own
          ? fileURLToPath(import.meta.resolve(path))
          : createRequire(importer).resolve(path),
      };
    });
  },
};
