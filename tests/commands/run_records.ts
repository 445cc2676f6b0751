/**
 * Run directories as `train` leaves them, made of given numbers, for tests.
 *
 * @module
 */
import { join } from "node:path";
import { defaultAlgorithm, findAlgorithm } from "../../lib/algorithms/registry.ts";
import { RunLog } from "../../lib/runs/log.ts";
import type { RunConfig } from "../../lib/runs/config.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { MetricsFile, type MetricsRow } from "../../lib/runs/metrics.ts";
import { type References, type Results, writeResults } from "../../lib/runs/results.ts";

/** What distinguishes a run in a test. Scores are by stage, step and seed. */
export interface WrittenRun {
  readonly algorithm?: string;
  readonly config?: Partial<RunConfig>;
  /** Scores of evaluations: by stage, a list of [step, score of each seed]. */
  readonly scores?: Readonly<Record<string, readonly (readonly [number, readonly number[]])[]>>;
  /** Losses: by stage, a list of [step, value of each seed]. */
  readonly losses?: Readonly<Record<string, readonly (readonly [number, readonly number[]])[]>>;
  readonly episodes?: number;
  readonly finished?: boolean;
  readonly references?: Partial<References>;
}

/** Writes a run directory and returns its path. */
export async function writeRun(
  folder: string,
  name: string,
  { algorithm, config, scores = {}, losses = {}, episodes = 2, finished = true, references }:
    WrittenRun,
): Promise<string> {
  const { name: algorithmName, stages } = algorithm === undefined
    ? defaultAlgorithm
    : findAlgorithm(algorithm);
  const path = join(folder, name);
  const run = new RunDirectory(path);
  Deno.mkdirSync(path, { recursive: true });
  const whole: RunConfig = {
    version: "0.3.0",
    algorithm: algorithmName,
    task: "hopper-medium-v2",
    seeds: [0, 1],
    stages: stages.map(({ name }) => name),
    data: { file: "gone.hdf5", sha256: "ab".repeat(32), rows: 1000 },
    adapter: { name: "llvmpipe" },
    hyperparameters: Object.fromEntries(stages.map(({ steps }) => [steps, 100])),
    evaluation: { every: null, episodes },
    ...config,
  };
  await run.writeConfig(whole);
  new RunLog(run.log).write(`srpo-webgpu 0.3.0: train ${whole.task} --note <b>`);
  const rows = [
    ...rowsOf(losses, whole, (value) => ({ metrics: { loss: value }, episodes: null })),
    ...rowsOf(scores, whole, (score) => ({
      metrics: { mean_return: 10 * score, std_return: 1, mean_length: 7, score, std_score: 0.1 },
      episodes: Array.from({ length: episodes }, (_, seed) => ({
        seed,
        return: 10 * score,
        length: 7,
        score,
        reached_goal: null,
      })),
    })),
  ];
  {
    using file = MetricsFile.create(run.metrics);
    for (const row of rows) file.append(row);
  }
  const results: Results = {
    algorithm: algorithmName,
    task: whole.task,
    seeds: whole.seeds,
    variants: [],
    finished,
    stages: {},
    references: {
      random_return: -20,
      expert_return: 3234,
      data_return: 1422,
      data_score: 44.3,
      counts_success: false,
      ...references,
    },
    actors: [],
    evaluations: [],
    statistics: [],
    action_latency_ms: {},
    action_flops: {},
    pictures: [],
  };
  if (finished) await writeResults(run.results, results);
  return path;
}

function rowsOf(
  values: WrittenRun["scores"] & object,
  { seeds }: RunConfig,
  row: (value: number) => Pick<MetricsRow, "metrics" | "episodes">,
): Omit<MetricsRow, "time">[] {
  return Object.entries(values).flatMap(([stage, steps]) =>
    steps.flatMap(([step, of]) =>
      of.map((value, i) => ({ stage, step, seed: seeds[i]!, variant: null, ...row(value) }))
    )
  );
}
