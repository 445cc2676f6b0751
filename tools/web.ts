/**
 * Builds the page that trains in a browser: `deno task web [folder]`. `folder` defaults to
 * `dist/web`. Any static server can serve it.
 *
 * @module
 */
import { build, type Plugin, stop } from "esbuild";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { packages } from "../lib/report/browser_bundle.ts";
import { trainingPage } from "../lib/web/page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the page fetches, by its name beside the page. */
const fetched: Readonly<Record<string, string>> = {
  "maze2d-umaze-100k.hdf5": join(root, "data", "maze2d-umaze-100k.hdf5"),
  "mujoco.wasm": fileURLToPath(import.meta.resolve("@mujoco/mujoco/mujoco.wasm")),
};

/**
 * Builds the page in `folder` and deletes its previous contents.
 *
 * @throws {Error} If the page imports a module that does not run in browsers.
 */
export async function buildWeb(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(folder, { recursive: true });
  await Promise.all([
    Deno.writeTextFile(join(folder, "index.html"), trainingPage()),
    ...Object.entries(fetched).map(([name, path]) => Deno.copyFile(path, join(folder, name))),
    bundle(folder),
  ]);
}

/** Bundles the scripts. What only one section needs is in files of its own. */
async function bundle(folder: string): Promise<void> {
  try {
    await build({
      entryPoints: {
        client: join(root, "lib", "web", "client", "main.ts"),
        worker: join(root, "lib", "web", "worker.ts"),
      },
      outdir: folder,
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      loader: { ".wgsl": "text", ".css": "text" },
      // Browsers without this symbol get `using` all the same.
      banner: { js: 'Symbol.dispose ??= Symbol.for("Symbol.dispose");' },
      plugins: [withoutDeno, packages],
      logLevel: "warning",
    });
  } finally {
    await stop();
  }
}

/**
 * Leaves out what browsers cannot run: modules named `deno_…`, which are imported only in Deno, and
 * Node's modules, which packages import only in Node.
 */
const withoutDeno: Plugin = {
  name: "without Deno",
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
      if (kind !== "dynamic-import") return undefined;
      return /\/deno_\w+\.ts$/.test(path)
        ? { path, external: true }
        : { path: join(resolveDir, path) };
    });
    onResolve(
      { filter: /^[^./]/ },
      ({ path }) => isBuiltin(path) ? { path, external: true, sideEffects: false } : undefined,
    );
  },
};

if (import.meta.main) {
  const folder = Deno.args[0] ?? join(root, "dist", "web");
  await buildWeb(folder);
  console.log(`built the page in ${relative(Deno.cwd(), folder) || "."}`);
}
