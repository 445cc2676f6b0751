/**
 * Random bad input: command lines, configurations and other JSON files of runs, safetensors, HDF5,
 * `.npz` and Minari files. Each case either works or ends with one `UserError`.
 *
 * @module
 */
import fc from "fast-check";
import { dirname, join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { projectFile } from "../data/files.ts";
import { commandLine } from "./command_line.ts";
import { damagedBytes, damagedJson } from "./damage.ts";

/** Longest time of one case, in milliseconds. It only stops cases that hang. */
const caseMilliseconds = 60_000;

/**
 * Memory that the cases of one kind may add to the process, in bytes. Their files are below 100 KB;
 * this is what the libraries keep. A header's claim of a size is far above it.
 */
const kindBytes = 256 << 20;

/** A kind of input. */
export interface Input {
  /** Name of the kind. */
  readonly name: string;
  /** Its share of all cases. */
  readonly share: number;
  /**
   * Generates and reads one case in a folder; the returned promise rejects if it is not handled.
   */
  readonly property: (folder: string) => fc.IAsyncProperty<unknown>;
}

/**
 * Reads a file that may be damaged. A `UserError` with a message of one line or more is expected.
 */
async function handled(read: () => unknown): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (error instanceof UserError && error.message !== "") return;
    throw error;
  }
}

function bytesOf(path: string): Uint8Array {
  return Deno.readFileSync(projectFile(path));
}

/** Returns an input that damages a file and reads it. */
function damagedFile(
  name: string,
  share: number,
  fixture: string,
  read: (path: string) => unknown,
): Input {
  return {
    name,
    share,
    property: (folder) =>
      fc.asyncProperty(damagedBytes(bytesOf(fixture)), async (bytes) => {
        const path = join(folder, name, fixture.split("/").at(-1)!);
        Deno.mkdirSync(dirname(path), { recursive: true });
        Deno.writeFileSync(path, bytes);
        await handled(() => read(path));
      }),
  };
}

const run = "tests/fixtures/runs/version-0.2";

/** Returns an input that damages one JSON file of a run and reads the run. */
function damagedRun(
  name: string,
  share: number,
  file: string,
  json: () => unknown,
  read: (folder: string) => unknown,
): Input {
  return {
    name,
    share,
    property: (folder) => {
      const own = join(folder, name);
      copy(projectFile(run), own);
      return fc.asyncProperty(damagedJson(json()), async (text) => {
        Deno.writeTextFileSync(join(own, file), text);
        await handled(() => read(own));
      });
    },
  };
}

async function readRun(folder: string): Promise<void> {
  const { makePlan } = await import("../../lib/commands/train_plan.ts");
  const { parseTrain } = await import("../../lib/commands/train_flags.ts");
  const { algorithm, parsed } = parseTrain(["--resume", folder]);
  if (parsed === "help") throw new Error("help");
  await makePlan(algorithm, parsed.what, parsed.flags);
}

/** The kinds of input. */
export const inputs: readonly Input[] = [
  {
    name: "command lines",
    share: 0.2,
    property: () =>
      fc.asyncProperty(commandLine, async (args) => {
        const { runQuietly } = await import("./command_line.ts");
        await runQuietly(args);
      }),
  },
  damagedRun(
    "config.json",
    0.15,
    "config.json",
    () => JSON.parse(Deno.readTextFileSync(projectFile(`${run}/config.json`))),
    readRun,
  ),
  damagedRun("metrics.jsonl", 0.1, "metrics.jsonl", () => ({
    time: "2026-01-02T03:04:05.678Z",
    stage: "critic",
    step: 3,
    seed: 2,
    variant: null,
    metrics: { mean_return: 1, std_return: 0, mean_length: 4 },
    episodes: [{ seed: 1, return: 1, length: 4, score: null, reached_goal: null }],
  }), async (folder) => {
    const { readMetrics } = await import("../../lib/runs/metrics.ts");
    const { evaluationsOf } = await import("../../lib/runs/results.ts");
    const path = join(folder, "metrics.jsonl");
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replaceAll("\n", "") + "\n");
    evaluationsOf(readMetrics(path), [{ stage: "critic", policy: "awr", title: "AWR" }]);
  }),
  damagedRun("results.json", 0.05, "results.json", () => ({
    algorithm: "srpo",
    task: "hopper-medium-v2",
    seeds: [0],
    variants: [],
    finished: true,
    stages: {
      critic: { step: 1, steps: 2, dispatches: null, made: 0, seconds: 1, cached: [], losses: [] },
    },
    references: {
      random_return: null,
      expert_return: null,
      data_return: 1,
      data_score: null,
      counts_success: false,
    },
    actors: [{ stage: "critic", policy: "awr", title: "AWR" }],
    evaluations: [],
    statistics: [],
    action_latency_ms: { awr: 1 },
    action_flops: {},
    pictures: [],
  }), async (folder) => {
    const { readResults } = await import("../../lib/runs/results.ts");
    readResults(join(folder, "results.json"));
  }),
  damagedFile(
    "safetensors",
    0.2,
    `${run}/seed-2/checkpoints/critic.safetensors`,
    async (path) => {
      const { openTrained } = await import("../../lib/runs/trained.ts");
      openTrained(path).load();
    },
  ),
  damagedFile("hdf5", 0.15, "tests/fixtures/datasets-linked/other.hdf5", async (path) => {
    const { loadDataset } = await import("../../lib/data/dataset.ts");
    await loadDataset([path]);
  }),
  damagedFile(
    "npz",
    0.08,
    "tests/fixtures/foreign/pointmaze-medium-navigate-v0.npz",
    async (path) => {
      const { readOgbench } = await import("../../lib/data/ogbench.ts");
      await readOgbench(path, "pointmaze-medium-navigate-singletask-task1-v0");
    },
  ),
  damagedFile(
    "minari",
    0.05,
    "tests/fixtures/foreign/minari-dict/main_data.hdf5",
    async (path) => {
      const { readMinari } = await import("../../lib/data/minari.ts");
      await readMinari(path);
    },
  ),
  {
    name: "minari metadata.json",
    share: 0.02,
    property: (folder) => {
      const own = join(folder, "minari-metadata");
      copy(projectFile("tests/fixtures/foreign/minari-dict"), own);
      const path = join(own, "metadata.json");
      return fc.asyncProperty(
        damagedJson(JSON.parse(Deno.readTextFileSync(path))),
        async (text) => {
          Deno.writeTextFileSync(path, text);
          const { readMinari } = await import("../../lib/data/minari.ts");
          await handled(() => readMinari(join(own, "main_data.hdf5")));
        },
      );
    },
  },
];

/**
 * Reads `cases` random cases of all kinds of input.
 *
 * @throws {Error} If a case is not handled: it ends in another error or hangs, or one writes
 * outside its folder or takes more memory than its files can fill. The message has the smallest
 * such case and the seed.
 */
export async function readCases(cases: number, seed?: number): Promise<Record<string, number>> {
  const root = Deno.makeTempDirSync();
  const folder = join(root, "cases");
  const before = Deno.cwd();
  Deno.mkdirSync(folder);
  Deno.chdir(folder);
  const counts: Record<string, number> = {};
  try {
    for (const { name, share, property } of inputs) {
      counts[name] = Math.ceil(cases * share);
      const settings = {
        numRuns: counts[name],
        timeout: caseMilliseconds,
        ...(seed !== undefined && { seed }),
      };
      const memory = Deno.memoryUsage().rss;
      try {
        await fc.assert(property(folder), settings);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
      const added = Deno.memoryUsage().rss - memory;
      if (added > kindBytes) throw new Error(`${name}: the cases took ${added} bytes of memory`);
    }
    const outside = [...Deno.readDirSync(root)].map((entry) => entry.name);
    if (outside.join() !== "cases") throw new Error(`a case wrote ${outside.join(", ")}`);
  } finally {
    Deno.chdir(before);
    Deno.removeSync(root, { recursive: true });
  }
  return counts;
}

function copy(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(join(from, name), join(to, name));
    else Deno.copyFileSync(join(from, name), join(to, name));
  }
}
