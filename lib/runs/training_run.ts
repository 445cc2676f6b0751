/**
 * A training run: drives the stages one after another, with progress, metrics, checkpoints,
 * interruption, resumption, evaluation in between, and what the stage cache has of them.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Engine } from "../autodiff/engine.ts";
import { Graph } from "../autodiff/graph.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { Program } from "../gpu/program.ts";
import type { Network, StageDefinition } from "../algorithms/algorithm.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { encodeCheckpoints, loadNetworks, readCheckpoint, writePolicy } from "./checkpoint.ts";
import { shareFile } from "./files.ts";
import { recoverGeneration, writeGeneration } from "./generation.ts";
import type { Interrupt } from "./interrupt.ts";
import { runSteps, type StepMetrics } from "./loop.ts";
import { MetricsFile } from "./metrics.ts";
import { MetricsLog } from "./metrics_log.ts";
import { profileStage } from "./profile.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { type Replica, type ReplicaAxes, replicasOf, stageOf } from "./replicas.ts";
import { keepStage, type RunCache, takeCached } from "./stage_reuse.ts";

/** Time between two checkpoints of a stage under way, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;

/** Looks at a stage's policies while it is trained. */
export interface Observer {
  /** Steps between two looks. */
  readonly every: number;
  /**
   * Looks at a stage that has an actor. Returns what to add to the metrics, one number for each of `replicas`, whose checkpoints it is
   * given. It must not wait for the GPU.
   */
  look(
    stage: string,
    step: number,
    checkpoints: readonly Uint8Array[],
    replicas: readonly Replica[],
  ): Promise<Readonly<Record<string, readonly number[]>>>;
}

/** What is trained, from what, and where it goes. */
export interface TrainingRun extends ReplicaAxes {
  /** The GPU, and how graphs become programs for it. */
  readonly engine: Engine;
  /** The data set on that GPU. */
  readonly buffer: ReplayBuffer;
  /**
   * Stages to train; the checkpoints of those before that are left out lie in the seeds' directories
   * already.
   */
  readonly stages: readonly string[];
  /** Where finished stages are looked for and kept; null trains everything. */
  readonly cache: RunCache | null;
  /** Whether the directory holds a run that is continued. */
  readonly resume: boolean;
  /** Says when the person wants to stop. */
  readonly interrupt: Pick<Interrupt, "requested">;
  /** Where the progress lines go. */
  readonly progress: ProgressOutput;
  /** Takes lines for the person, such as where a stage was taken from. */
  readonly announce: (line: string) => void;
  /** Whether the kernels of each stage that is trained are timed. */
  readonly profile?: boolean;
  /** Looks at the policies; absent where nobody does. */
  readonly observer?: Observer;
}

/** What became of a stage. */
export interface StageResult {
  /** Which stage. */
  readonly stage: string;
  /** Steps done. */
  readonly step: number;
  /** Steps of the whole stage. */
  readonly steps: number;
  /** Means over the last logged steps, one number for each replica that was trained. */
  readonly losses: StepMetrics;
  /** Dispatches of one step; null where nothing was left to train. */
  readonly dispatches: number | null;
  /** Steps made by this process. */
  readonly made: number;
  /** Seconds that they took. */
  readonly seconds: number;
  /** What the stage cache had: directories of the replicas, and of the runs that trained them. */
  readonly cached: readonly { readonly directory: string; readonly run: string }[];
}

/** Trains the stages in order; ends early, after a checkpoint, where the person interrupts. */
export async function trainStages(run: TrainingRun): Promise<StageResult[]> {
  const results: StageResult[] = [];
  for (const name of run.stages) {
    const result = await trainOne(run, stageOf(run.algorithm, name));
    results.push(result);
    if (result.step < result.steps) break;
  }
  return results;
}

async function trainOne(run: TrainingRun, definition: StageDefinition): Promise<StageResult> {
  const { name, evaluated } = definition;
  const total = stepsOf(run, definition);
  const replicas = replicasOf(run, definition);
  for (const { directory } of replicas) {
    Deno.mkdirSync(dirname(directory.checkpoint(name)), { recursive: true });
  }
  await shareEarlier(run, definition, replicas);
  if (run.resume) {
    const paths = replicas.map(({ directory }) => directory.checkpoint(name));
    recoverGeneration(run.directory, name, paths, run.announce);
  }
  const checkpoint = ({ directory }: Replica) => directory.checkpoint(name);
  const done = (replica: Replica) =>
    run.resume && isFile(checkpoint(replica)) && readCheckpoint(checkpoint(replica)).step === total;
  const left = replicas.filter((replica) => !done(replica));
  const { cache } = run;
  const reusable = cache && {
    algorithm: run.algorithm,
    stage: definition,
    kernels: await kernelsOf(run, definition),
  };
  const cached = cache && reusable
    ? await takeCached(cache, reusable, left, run.announce)
    : new Map<Replica, string>();
  const pending = left.filter((replica) => !cached.has(replica));

  const trained = await trainReplicas(run, definition, replicas, pending);
  const result = {
    ...trained,
    stage: name,
    steps: total,
    cached: [...cached].map(([{ directory }, from]) => ({ directory: directory.path, run: from })),
  };
  const [actor] = run.algorithm.actors;
  if (actor?.prefix !== undefined && actor.needs.includes(name)) {
    for (const { directory } of replicas.filter((each) => isFile(checkpoint(each)))) {
      const bytes = Deno.readFileSync(directory.checkpoint(name));
      await writePolicy(directory.policy, bytes, actor.prefix);
    }
  }
  if (result.step < total) return result;
  if (cache && reusable) await keepStage(cache, reusable, pending, run.directory.path);
  // What this process trained throughout has been looked at.
  if (pending.length < replicas.length && run.observer && evaluated !== undefined) {
    const files = replicas.map((replica) => Deno.readFileSync(checkpoint(replica)));
    const metrics = await run.observer.look(name, total, files, replicas);
    if (cached.size > 0) {
      using file = openMetrics(run, name, total);
      file.append({ stage: name, step: total, metrics });
    }
  }
  return result;
}

/** WGSL of the kernels that train a stage; the same however many seeds there are. */
async function kernelsOf(
  { engine, buffer, hyperparameters: h }: TrainingRun,
  definition: StageDefinition,
): Promise<string[]> {
  const graph = new Graph({ seeds: [0] });
  await definition.describe(graph, buffer, h, [h]);
  return engine.kernelTexts(graph);
}

/** What a stage takes of the GPU's memory. */
function memoryText(name: string, program: Program, buffer: ReplayBuffer): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `memory   ${name}: ${mebibytes(program.plannedBytes)} of GPU memory planned, ` +
    `${mebibytes(program.bytes)} allocated; data set ${mebibytes(buffer.bytes)}`;
}

/** Trains `pending`, some or all of the replicas of a stage, from where their checkpoints are. */
async function trainReplicas(
  run: TrainingRun,
  definition: StageDefinition,
  replicas: readonly Replica[],
  pending: readonly Replica[],
): Promise<Pick<StageResult, "step" | "losses" | "dispatches" | "made" | "seconds">> {
  const { engine, hyperparameters: h } = run;
  const { name, evaluated } = definition;
  const total = stepsOf(run, definition);
  if (pending.length === 0) {
    return { step: total, losses: {}, dispatches: null, made: 0, seconds: 0 };
  }
  const own = pending.map(({ directory }) => directory.checkpoint(name));
  const present = underWay(run, name, own);
  const start = present?.[0]?.step ?? 0;
  const places = pending.length < replicas.length
    ? pending.map((replica) => replicas.indexOf(replica))
    : undefined;
  const of = places && { replicas: places };

  const graph = new Graph({ seeds: pending.map(({ seed }) => seed) });
  const { networks } = await definition.describe(
    graph,
    run.buffer,
    h,
    pending.map(({ hyperparameters }) => hyperparameters),
  );
  const program = await engine.compile(graph);
  using metrics = openMetrics(run, name, start);
  const progress = new Progress(name, total, run.progress, start);
  const log = new MetricsLog(metrics, name, total, places);
  const looks: Promise<void>[] = [];
  let step = start;
  try {
    pending.forEach((replica, place) => {
      const earlier = definition.needs.map((each) =>
        readCheckpoint(replica.directory.checkpoint(each))
      );
      if (present) {
        loadNetworks(program, name, networks, place, [present[place]!, ...earlier], true);
      } else {
        initialise(program, networks, place, replica.seed);
        const frozen = networks.filter(({ initial }) => initial === undefined);
        loadNetworks(program, name, frozen, place, earlier, false);
      }
    });
    run.announce(memoryText(name, program, run.buffer));
    if (run.profile) {
      const { text, files } = await profileStage(engine, program, name, step, run.directory.path);
      progress.skipTime();
      run.announce(`\n${text}\n${files.map((file) => `profile  ${file}`).join("\n")}\n`);
    }
    const began = performance.now();
    const save = async (): Promise<Uint8Array[]> => {
      const encoded = await encodeCheckpoints(program, name, networks, pending.length, step);
      metrics.flush();
      const files = new Map(encoded.map((bytes, place) => [own[place]!, bytes]));
      await writeGeneration(run.directory, name, step, files);
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
          progress.update(done, shown(definition, values));
        },
        shouldStop: () => run.interrupt.requested || performance.now() > due,
      });
      const encoded = await save();
      progress.skipTime();
      // The last look at a stage of which a part is trained goes over all of it, afterwards.
      const look = step % every === 0 && step < total || step === total && !places;
      if (run.observer && evaluated !== undefined && look) {
        const seen = step;
        looks.push(
          run.observer.look(name, seen, encoded, pending).then((values) =>
            metrics.append({ stage: name, step: seen, metrics: values, ...of })
          ),
        );
      }
    }
    const seconds = (performance.now() - began) / 1000;
    progress.finish();
    await Promise.all(looks);
    const dispatches = program.dispatchesPerStep;
    return { step, losses: log.latest, dispatches, made: step - start, seconds };
  } finally {
    await Promise.allSettled(looks);
    program.destroy();
  }
}

/** The metrics file of the run, without what lies beyond `step` of a stage. */
function openMetrics({ directory }: TrainingRun, stage: string, step: number): MetricsFile {
  return isFile(directory.metrics)
    ? MetricsFile.resume(directory.metrics, stage, step)
    : MetricsFile.create(directory.metrics);
}

/** Checkpoints to go on from; null where the stage begins. */
function underWay(run: TrainingRun, stage: string, paths: readonly string[]) {
  const files = run.resume ? paths.filter(isFile) : [];
  if (files.length === 0) return null;
  const checkpoints = files.map(readCheckpoint);
  const steps = new Set(checkpoints.map(({ step }) => step));
  if (files.length === paths.length && steps.size === 1) return checkpoints;
  run.announce(
    `${stage}: ${files.length} of ${paths.length} checkpoints are there, of steps ` +
      `${[...steps].join(", ")}; the run ended while they were written, and the stage begins anew`,
  );
  return null;
}

/** Writes the initial values of one replica of what a stage trains. */
function initialise(
  program: Program,
  networks: readonly Network[],
  place: number,
  seed: number,
): void {
  for (const { prefixes, parameters, initial } of networks) {
    if (initial === undefined) continue;
    // Twin networks are neighbouring replicas of one seed, and each starts from its own values.
    prefixes.forEach((_, member) =>
      parameters.write(
        program,
        place * prefixes.length + member,
        initial(parameters.shapes, seed, member),
      )
    );
  }
}

/** Puts what the stage needs of earlier ones into the directories of its replicas. */
async function shareEarlier(
  run: TrainingRun,
  { needs }: StageDefinition,
  replicas: readonly Replica[],
): Promise<void> {
  for (const stage of needs) {
    const earlier = replicasOf(run, stageOf(run.algorithm, stage));
    for (const { seed, variant, directory } of replicas) {
      const from = earlier.find((each) =>
        each.seed === seed && (each.variant === null || each.variant === variant)
      )!.directory.checkpoint(stage);
      const to = directory.checkpoint(stage);
      if (from !== to) await shareFile(from, to);
    }
  }
}

function stepsOf(
  { hyperparameters }: { readonly hyperparameters: HyperparameterValues },
  { steps }: StageDefinition,
): number {
  return Number(hyperparameters[steps]);
}

/** The losses that the progress line shows, means over the replicas. */
function shown({ shown }: StageDefinition, values: StepMetrics): Record<string, number> {
  return Object.fromEntries(shown.map((loss) => [loss, mean(values[loss] ?? [])]));
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
