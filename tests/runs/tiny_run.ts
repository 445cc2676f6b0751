/**
 * Training runs of tiny networks on a small data set, for tests.
 *
 * @module
 */
import type { Engine } from "../../lib/autodiff/engine.ts";
import type { Target } from "../../lib/gpu/target.ts";
import type { BufferedData, ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { type MetricsRow, readMetrics } from "../../lib/runs/metrics.ts";
import type { TrainingRun } from "../../lib/runs/run.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
} from "../../lib/algorithms/srpo/hyperparameters.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";

/** The stages in order. */
export const stageNames = srpo.stages.map(({ name }) => name);
/** Steps of each stage. */
export const steps = 40;
/** Hyperparameters of the networks. */
export const tiny: Partial<Hyperparameters> = {
  criticSteps: steps,
  behaviorSteps: steps,
  policySteps: steps,
  criticBatchSize: 8,
  behaviorBatchSize: 8,
  policyBatchSize: 8,
  criticWidth: 8,
  behaviorWidth: 8,
  policyWidth: 8,
};

/**
 * Uploads a small data set of smooth, seeded numbers to the GPU.
 *
 * @param target Matrix products to use; measured if absent, and then the same in one process only.
 */
export async function setUp(
  rewardScale = 1,
  target?: Target,
): Promise<{ engine: Engine; buffer: ReplayBuffer; data: BufferedData; rewards: Float32Array }> {
  const { Engine } = await import("../../lib/autodiff/engine.ts");
  const { ReplayBuffer } = await import("../../lib/data/replay_buffer.ts");
  const engine = await Engine.open(target);
  const rows = 300;
  const wave = (count: number, pace: number) =>
    Float32Array.from({ length: count }, (_, i) => 0.9 * Math.sin(pace * i * i));
  const data = {
    rows,
    observationSize: 5,
    actionSize: 3,
    observations: wave(rows * 5, 0.37),
    actions: wave(rows * 3, 0.11),
    terminals: Float32Array.from({ length: rows }, (_, i) => Number(i % 50 === 49)),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, i) => i),
  };
  const rewards = wave(rows, 0.53).map((reward) => reward * rewardScale);
  return { engine, buffer: new ReplayBuffer(engine.gpu, data, rewards), data, rewards };
}

/** Returns a run of seed 3 through all stages in a directory. `more` overrides its fields. */
export function runIn(
  directory: string,
  { engine, buffer }: { engine: Engine; buffer: ReplayBuffer },
  more: Partial<TrainingRun> = {},
): TrainingRun {
  return {
    id: "0123456789abcdef",
    engine,
    buffer,
    algorithm: srpo,
    hyperparameters: hyperparametersFor("maze2d", "quick", tiny),
    seeds: [3],
    stages: stageNames,
    directory: new RunDirectory(directory),
    variants: [],
    cache: null,
    provenance: { task: "maze2d-umaze-v1", algorithm: "srpo", data_sha256: "00ff", version: "0" },
    resume: false,
    interrupt: { requested: false },
    progress: { terminal: false, columns: () => 100, write: () => {}, now: () => 0 },
    announce: () => {},
    ...more,
  };
}

/** Returns the rows of a metrics file by stage, step and kind, without their times. */
export function timelessRows(run: string): Omit<MetricsRow, "time">[] {
  const key = ({ stage, step, episodes }: Omit<MetricsRow, "time">) =>
    `${stage} ${String(step).padStart(6)} ${episodes === null ? 0 : 1}`;
  return readMetrics(`${run}/metrics.jsonl`).map(({ time: _, ...row }) => row)
    .sort((a, b) => key(a) < key(b) ? -1 : 1);
}
