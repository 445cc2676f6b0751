/**
 * Compiles the command line to one executable per platform: `deno task compile [--target
 * PLATFORM,…] [--out FOLDER]`. All platforms are compiled by default, to `dist/bin`.
 *
 * Deno downloads its runtime for each platform, so this needs a connection to the Internet.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../lib/errors.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The platforms for which Deno has a runtime. */
export const targets = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

/** The modules of the program's workers. */
export const workers = [
  "lib/envs/evaluation_worker.ts",
  "lib/runs/stage_worker.ts",
  "lib/runs/thread_worker.ts",
] as const;

/** Returns the arguments of `deno` that compile the program for a platform. */
export function compileArguments(target: string, folder: string): string[] {
  const extension = target.includes("windows") ? ".exe" : "";
  return [
    ...["compile", "--allow-all", "--frozen", "--target", target, "--no-check"],
    // A worker's module is not in the graph of the program's modules.
    ...workers.flatMap((path) => ["--include", join(root, path)]),
    ...["--output", join(folder, `srpo-webgpu-${target}${extension}`), join(root, "cli.ts")],
  ];
}

/**
 * Compiles the program for each platform.
 *
 * @param env Environment variables besides those of this process.
 * @throws {UserError} If a platform is unknown, Deno's runtime cannot be downloaded, or Deno fails.
 */
export async function compile(
  chosen: readonly string[],
  folder: string,
  env: Record<string, string> = {},
): Promise<void> {
  const unknown = chosen.filter((target) => !targets.some((each) => each === target));
  if (unknown.length > 0) {
    throw new UserError(`unknown platform ${unknown.join(", ")}; expected ${targets.join(", ")}`);
  }
  await Deno.mkdir(folder, { recursive: true });
  for (const target of chosen) {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: compileArguments(target, folder),
      cwd: root,
      env: { NO_COLOR: "1", ...env },
    }).output();
    if (success) {
      console.log(`compiled for ${target}`);
      continue;
    }
    const text = new TextDecoder().decode(stderr);
    const [, address] = /error sending request for url \((\S+)\)/.exec(text) ?? [];
    throw new UserError(
      address === undefined
        ? `cannot compile for ${target}: ${text.trim()}`
        : `cannot compile for ${target}: Deno's runtime for it could not be downloaded from ` +
          `${address}; run this where that address can be reached`,
    );
  }
}

if (import.meta.main) {
  const { target, out } = parseArgs(Deno.args, { string: ["target", "out"] });
  try {
    await compile(
      typeof target === "string" ? target.split(",") : targets,
      typeof out === "string" ? out : join(root, "dist", "bin"),
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}
