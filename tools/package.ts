/**
 * Builds the npm package of the library: `deno task package [folder]`. `folder` defaults to
 * `dist/npm`.
 *
 * The package contains one JavaScript module with the shaders, the type declarations, LICENSE and
 * README. npm packages that the library imports are not bundled. They become dependencies, with the
 * versions in deno.json's import map.
 *
 * @module
 */
import { build, type Plugin, stop } from "esbuild";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { filled, reporting } from "./output_folder.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Builds the package in `folder`, in place of an earlier build.
 *
 * @throws {UserError} If the folder has other contents.
 * @throws {Error} If the library does not compile.
 */
export function buildPackage(folder: string): Promise<void> {
  return filled(folder, ["mod.js", "package.json"], fill);
}

async function fill(folder: string): Promise<void> {
  const dependencies: Record<string, string> = {};
  const [external] = await Promise.all([
    bundle(join(folder, "mod.js")),
    declare(join(folder, "types")),
    ...["LICENSE", "README.md"].map((file) => Deno.copyFile(join(root, file), join(folder, file))),
  ]);
  for (const { name, version } of external) dependencies[name] = version;
  const description = {
    name: manifest.name,
    version: manifest.version,
    description: "An autodiff engine on hand-written WebGPU shaders, and offline RL on top of it",
    keywords: ["webgpu", "autodiff", "reinforcement-learning", "offline-rl", "srpo"],
    author: "SRPO for WebGPU contributors",
    license: manifest.license,
    type: "module",
    exports: { ".": { types: "./types/mod.d.ts", default: "./mod.js" } },
    files: ["mod.js", "types"],
    sideEffects: false,
    engines: { node: ">=22" },
    dependencies,
  };
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify(description, null, 2) + "\n",
  );
}

/** An npm package in deno.json's import map: `npm:name@version/path`. */
interface NpmImport {
  readonly name: string;
  readonly version: string;
  /** Path inside the package, with its leading slash; empty for the package itself. */
  readonly path: string;
}

function npmImport(specifier: string): NpmImport | null {
  const target = (manifest.imports as Record<string, string>)[specifier];
  const [, name, version, path] = /^npm:(@?[^@]+)@([^/]+)(.*)$/.exec(target ?? "") ?? [];
  return name === undefined ? null : { name, version: version!, path: path! };
}

/** Writes the library as one module and returns the npm packages that it imports. */
async function bundle(file: string): Promise<NpmImport[]> {
  const external = new Map<string, NpmImport>();
  const importMap: Plugin = {
    name: "deno.json",
    setup({ onResolve }) {
      // Matches everything except relative paths.
      onResolve({ filter: /^[^./]/ }, ({ path: specifier, kind }) => {
        if (kind === "entry-point") return undefined;
        const found = npmImport(specifier);
        if (found === null) {
          return specifier.startsWith("node:") ? { path: specifier, external: true } : undefined;
        }
        external.set(found.name, found);
        return { path: found.name + found.path, external: true };
      });
    },
  };
  await build({
    entryPoints: [join(root, "mod.ts")],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    loader: { ".wgsl": "text" },
    plugins: [importMap],
    logLevel: "warning",
  });
  await stop();
  return [...external.values()].toSorted((a, b) => a.name < b.name ? -1 : 1);
}

/** Writes the library's type declarations, one file per module. */
async function declare(folder: string): Promise<void> {
  // Only declarations are needed, because `deno check` checks the types. tsc would not find Deno's.
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", `${manifest.imports.typescript}/tsc`],
      ...["--declaration", "--emitDeclarationOnly", "--noCheck", "--allowImportingTsExtensions"],
      ...["--target", "esnext", "--module", "esnext", "--moduleResolution", "bundler"],
      ...["--strict", "--exactOptionalPropertyTypes", "--types", "", "--ignoreConfig"],
      ...["--rootDir", root, "--outDir", folder, join(root, "mod.ts")],
    ],
    cwd: root,
  }).output();
  if (code !== 0) {
    throw new Error(`tsc exited with ${code}:\n${new TextDecoder().decode(stdout)}`);
  }
  await useJavaScriptNames(folder);
}

/**
 * Replaces imports of `./x.ts` by `./x.js` in the declarations below `folder`, as Node requires.
 */
async function useJavaScriptNames(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) await useJavaScriptNames(path);
    else {
      const text = await Deno.readTextFile(path);
      const renamed = text.replace(/((?:from |import\()"\.{1,2}\/[^"]+)\.ts"/g, '$1.js"');
      await Deno.writeTextFile(path, renamed);
    }
  }
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? join(root, "dist", "npm");
  await reporting(() => buildPackage(folder));
  console.log(`built the npm package in ${relative(Deno.cwd(), folder) || "."}`);
}
