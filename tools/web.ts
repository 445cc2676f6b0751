/**
 * Builds the page that trains in a browser: `deno task web [folder]`. `folder` defaults to
 * `dist/web`. Any static server can serve it.
 *
 * @module
 */
import { build, type Plugin, stop } from "esbuild";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { packages } from "../lib/report/browser_bundle.ts";
import { trainingPage } from "../lib/web/page.ts";
import { filled, reporting } from "./output_folder.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the page fetches, by its name beside the page. */
const fetched: Readonly<Record<string, string>> = {
  "maze2d-umaze-100k.hdf5": join(root, "data", "maze2d-umaze-100k.hdf5"),
  "mujoco.wasm": fileURLToPath(import.meta.resolve("@mujoco/mujoco/mujoco.wasm")),
};

/**
 * Builds the page in `folder`, in place of an earlier build.
 *
 * @throws {UserError} If the folder has other contents.
 * @throws {Error} If the page imports a module that does not run in browsers.
 */
export async function buildWeb(folder: string): Promise<void> {
  await filled(folder, ["index.html", "worker.js"], async (fresh) => {
    await Promise.all([
      Deno.writeTextFile(join(fresh, "index.html"), trainingPage()),
      ...Object.entries(fetched).map(([name, path]) => Deno.copyFile(path, join(fresh, name))),
      bundle(fresh),
    ]);
  });
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

/** Leaves out the modules named `deno_…`, which are imported dynamically and only in Deno. */
const withoutDeno: Plugin = {
  name: "without-deno",
  setup({ onResolve }) {
    onResolve(
      { filter: /\/deno_\w+\.ts$/ },
      ({ path, kind }) => kind === "dynamic-import" ? { path, external: true } : undefined,
    );
  },
};

if (import.meta.main) {
  const folder = Deno.args[0] ?? join(root, "dist", "web");
  await reporting(() => buildWeb(folder));
  console.log(`built the page in ${relative(Deno.cwd(), folder) || "."}`);
}
