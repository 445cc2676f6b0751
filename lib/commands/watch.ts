/**
 * `watch`: shows policies in their environment on a web page, in three dimensions.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { makeFolder } from "../files.ts";
import { maxEpisodeSeed } from "../envs/seeds.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { writeAtomic } from "../runs/files.ts";
import { fitted } from "../terminal.ts";
import { collect } from "../watch/collect.ts";
import { type SiteFile, siteFiles } from "../watch/site.ts";
import { choice, integer, parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";
import { LoopbackServer, respond } from "./loopback_server.ts";

const command = {
  name: "watch",
  summary: "Shows policies in their environment on a web page, in three dimensions " +
    "(docs/watch.md). MuJoCo and the policies run in the browser. The page shows rewards, actions " +
    "and the critic's value. Dragging the robot with the mouse pulls it.",
  positionals: [{
    name: "run",
    help: "A run directory, or a .safetensors file with an actor (docs/policies.md)",
  }],
  flags: {
    export: text("Write the page to this folder, for any static host, instead of serving it", {
      valueName: "DIR",
    }),
    policy: text("Actors of the run, separated by commas", {
      valueName: "ACTOR,…",
      shown: "those that are one network",
    }),
    task: text("Environment: a D4RL task or another id of a built-in environment", {
      valueName: "TASK",
      shown: "the run's task, or the one in the file's metadata",
    }),
    seed: integer("Selects the episodes' seeds, as in eval", { max: maxEpisodeSeed, fallback: 0 }),
    profile: choice("Physics of the environment", ["mjpy", "mj22"], {
      shown: "the one behind the task's published results",
    }),
    port: integer("Port of the page on 127.0.0.1; 0 selects a free one", {
      max: 65535,
      fallback: 0,
    }),
  },
} as const;

/**
 * Serves the page until Ctrl-C, or exports it.
 *
 * @throws {UserError} If a flag is invalid, the policies cannot be shown, or a file cannot be
 * written.
 */
export async function watch(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { flags } = parsed;
  const path = parsed.positionals[0]!;
  const packed = collect({
    path,
    environment: flags.task ?? null,
    profile: flags.profile ?? null,
    actors: flags.policy?.split(",") ?? null,
    seed: flags.seed,
  });
  if (flags.export !== undefined) return await exportTo(flags.export, packed);
  using interrupt = watchInterrupt("closing the page");
  const { title, families } = packed.content;
  await using server = serve(await siteFiles(packed), flags.port);
  console.log(fitted(
    `${title}: ${
      families.map(({ label, values }) =>
        values === null ? label : `${label} (${values.join(", ")})`
      ).join("; ")
    }`,
  ));
  console.log(`page         ${server.address}`);
  console.log("Ctrl-C closes it");
  await aborted(interrupt.signal);
}

/** Waits for a signal, which may have come already. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

/** Starts the server of the page. */
export function serve(files: ReadonlyMap<string, SiteFile>, port = 0): LoopbackServer {
  try {
    return new LoopbackServer((name) => {
      const file = files.get(name === "" ? "index.html" : name);
      // MuJoCo's bindings are compiled by `Function`.
      return file ? respond(file.type, file.body, "'self' 'unsafe-eval'") : null;
    }, port);
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UserError(`port ${port} is in use; choose another with --port, or 0 for a free one`);
  }
}

async function exportTo(folder: string, packed: ReturnType<typeof collect>): Promise<void> {
  makeFolder(folder);
  let total = 0;
  for (const [name, { body }] of await siteFiles(packed)) {
    const target = join(folder, name);
    await writeAtomic(target, body);
    const { size } = Deno.statSync(target);
    total += size;
    console.log(`wrote  ${target} (${megabytes(size)})`);
  }
  console.log(fitted(
    `total  ${megabytes(total)}. Any static host can serve the folder. Browsers do not load it ` +
      "from disk; to view it here, serve it, for example with `python3 -m http.server`",
  ));
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}
