/**
 * A training run: drives the stages one after another, with progress, metrics, checkpoints,
 * interruption, resumption and evaluation in between.
 *
 * @module
 */
import { join } from "node:path";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { Program } from "../gpu/program.ts";
import type { Hyperparameters } from "../srpo/hyperparameters.ts";
import type { Stage, StageName } from "../srpo/stage.ts";
import { initialValues, shownLosses, stepsOf, trainingStage } from "../srpo/training.ts";
import {
  type Checkpoint,
  encodeCheckpoints,
  loadNetworks,
  readCheckpoint,
  writePolicy,
} from "./checkpoint.ts";
import { RunDirectory } from "./directory.ts";
import { writeAtomic } from "./files.ts";
import type { Interrupt } from "./interrupt.ts";
import { runSteps, type StepMetrics } from "./loop.ts";
import { MetricsFile } from "./metrics.ts";
import { Progress, type ProgressOutput } from "./progress.ts";

/** Time between two checkpoints of a stage under way, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;
/** Lines of a stage in the metrics file, at the most. */
const metricsLines = 2000;

/** Looks at a stage's policy while it is trained; called with the policy's checkpoint of each seed. */
export interface Observer {
  /** Steps between two looks. */
  readonly every: number;
  /** Returns what to add to the metrics, per seed. It must not wait for the GPU. */
  look(stage: StageName, step: number, checkpoints: readonly Uint8Array[]): Promise<
    Readonly<Record<string, readonly number[]>>
  >;
}

/** What is trained, from what, and where it goes. */
export interface TrainingRun {
  readonly engine: Engine;
  readonly buffer: ReplayBuffer;
  readonly hyperparameters: Hyperparameters;
  readonly seeds: readonly number[];
  readonly stages: readonly StageName[];
  readonly directory: RunDirectory;
  /** Checkpoint files that stand in for stages of this run, by stage. */
  readonly given: Readonly<Partial<Record<StageName, string>>>;
  /** Whether the directory holds a run that is continued. */
  readonly resume: boolean;
  readonly interrupt: Pick<Interrupt, "requested">;
  readonly progress: ProgressOutput;
  readonly observer?: Observer;
}

/** What became of a stage. */
export interface StageResult {
  readonly stage: StageName;
  /** Steps done. */
  readonly step: number;
  readonly steps: number;
  /** Means over the last logged steps, one number for each seed. */
  readonly losses: StepMetrics;
  /** Dispatches of one step. */
  readonly dispatches: number;
  /** Steps made by this process, and the seconds they took. */
  readonly made: number;
  readonly seconds: number;
}

/** Directory of one seed's files: the run's own, or a folder in it where there are several seeds. */
export function seedDirectory(
  run: RunDirectory,
  seeds: readonly number[],
  replica: number,
): RunDirectory {
  return seeds.length === 1 ? run : new RunDirectory(join(run.path, `seed-${seeds[replica]}`));
}

/** Trains the stages in order; ends early, after a checkpoint, where the person interrupts. */
export async function trainStages(run: TrainingRun): Promise<StageResult[]> {
  const results: StageResult[] = [];
  for (const name of run.stages) {
    const result = await trainOne(run, name);
    results.push(result);
    if (result.step < result.steps) break;
  }
  return results;
}

async function trainOne(run: TrainingRun, name: StageName): Promise<StageResult> {
  const { engine, seeds, hyperparameters: h } = run;
  const total = stepsOf(name, h);
  const own = seeds.map((_, replica) =>
    seedDirectory(run.directory, seeds, replica).checkpoint(name)
  );
  const present = run.resume && own.every(isFile) ? own.map(readCheckpoint) : null;
  const start = present?.[0]?.step ?? 0;

  const graph = new Graph({ seeds });
  const stage = trainingStage(name, graph, run.buffer, h);
  const program = await engine.compile(graph);
  using metrics = isFile(run.directory.metrics)
    ? MetricsFile.resume(run.directory.metrics, name, start)
    : MetricsFile.create(run.directory.metrics);
  const progress = new Progress(name, total, run.progress, start);
  const log = new MetricsLog(metrics, name, Math.max(1, Math.ceil(total / metricsLines)));
  const looks: Promise<void>[] = [];
  const began = performance.now();
  let step = start;
  try {
    if (present) {
      seeds.forEach((_, replica) =>
        loadNetworks(
          program,
          stage,
          replica,
          [present[replica]!, ...earlier(run, name, replica)],
          true,
        )
      );
    } else {
      initialiseNetworks(run, program, stage);
    }
    const save = async (): Promise<Uint8Array[]> => {
      const encoded = await encodeCheckpoints(program, stage, seeds.length, step);
      metrics.flush();
      await Promise.all(encoded.map((bytes, replica) => writeAtomic(own[replica]!, bytes)));
      return encoded;
    };
    const every = run.observer?.every ?? Infinity;
    while (step < total && !run.interrupt.requested) {
      const due = performance.now() + checkpointMilliseconds;
      const end = Math.min(total, (Math.floor(step / every) + 1) * every);
      step = await runSteps(program, graph, {
        stage: name,
        start: step,
        end,
        onStep: (done, values) => {
          log.add(done, values);
          progress.update(done, shown(name, values));
        },
        shouldStop: () => run.interrupt.requested || performance.now() > due,
      });
      const encoded = await save();
      progress.skipTime();
      if (run.observer && name !== "behavior" && (step % every === 0 || step === total)) {
        const seen = step;
        looks.push(
          run.observer.look(name, seen, encoded).then((values) =>
            metrics.append({ stage: name, step: seen, metrics: values })
          ),
        );
      }
    }
    const seconds = (performance.now() - began) / 1000;
    progress.finish();
    await Promise.all(looks);
    if (name === "policy") await writePolicies(run, own);
    const dispatches = program.dispatchesPerStep;
    const made = step - start;
    return { stage: name, step, steps: total, losses: log.latest, dispatches, made, seconds };
  } finally {
    await Promise.allSettled(looks);
    program.destroy();
  }
}

/** Networks of a new stage: initial values for what it trains, earlier stages' for the others. */
function initialiseNetworks(run: TrainingRun, program: Program, stage: Stage): void {
  const { seeds, hyperparameters: h } = run;
  seeds.forEach((seed, replica) => {
    for (const network of stage.networks) {
      if (network.initial === undefined) continue;
      // Twin networks are neighbouring replicas of one seed, and each starts from its own values.
      network.prefixes.forEach((_, member) =>
        network.parameters.write(
          program,
          replica * network.prefixes.length + member,
          initialValues(network, seed, member, h),
        )
      );
    }
    const frozen = stage.networks.filter(({ initial }) => initial === undefined);
    if (frozen.length > 0) {
      const sources = earlier(run, stage.name, replica);
      loadNetworks(program, { ...stage, networks: frozen }, replica, sources, false);
    }
  });
}

/** Checkpoints of the stages before `name` for one seed: those given, else this run's. */
function earlier(run: TrainingRun, name: StageName, replica: number): Checkpoint[] {
  if (name !== "policy") return [];
  const directory = seedDirectory(run.directory, run.seeds, replica);
  return (["critic", "behavior"] as const).map((stage) =>
    readCheckpoint(run.given[stage] ?? directory.checkpoint(stage))
  );
}

async function writePolicies(run: TrainingRun, checkpoints: readonly string[]): Promise<void> {
  await Promise.all(
    checkpoints.filter(isFile).map((path, replica) =>
      writePolicy(
        seedDirectory(run.directory, run.seeds, replica).policy,
        Deno.readFileSync(path),
      )
    ),
  );
}

/** The losses that the progress line shows, means over the seeds. */
function shown(name: StageName, values: StepMetrics): Record<string, number> {
  return Object.fromEntries(
    shownLosses[name].map((loss) => [loss, mean(values[loss] ?? [])]),
  );
}

/** Writes the means over every `interval` steps to the metrics file. */
class MetricsLog {
  readonly #file: MetricsFile;
  readonly #stage: StageName;
  readonly #interval: number;
  #sums: Record<string, number[]> = {};
  #count = 0;
  /** The last means written. */
  latest: StepMetrics = {};

  constructor(file: MetricsFile, stage: StageName, interval: number) {
    this.#file = file;
    this.#stage = stage;
    this.#interval = interval;
  }

  add(step: number, values: StepMetrics): void {
    this.#count++;
    for (const [name, replicas] of Object.entries(values)) {
      const sums = this.#sums[name] ??= replicas.map(() => 0);
      replicas.forEach((value, replica) => sums[replica]! += value);
    }
    if (step % this.#interval !== 0) return;
    this.latest = Object.fromEntries(
      Object.entries(this.#sums).map(([name, sums]) => [
        name,
        sums.map((sum) => sum / this.#count),
      ]),
    );
    const metrics = Object.fromEntries(
      Object.entries(this.latest).map(([name, values]) => [
        name,
        values.length === 1 ? values[0]! : values,
      ]),
    );
    this.#file.append({ stage: this.#stage, step, metrics });
    this.#sums = {};
    this.#count = 0;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
