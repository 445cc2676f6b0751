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
import type { Stage, StageName } from "../algorithms/srpo/stage.ts";
import { initialValues, shownLosses, stepsOf, trainingStage } from "../algorithms/srpo/training.ts";
import { encodeCheckpoints, loadNetworks, readCheckpoint, writePolicy } from "./checkpoint.ts";
import { shareFile, writeAtomic } from "./files.ts";
import type { Interrupt } from "./interrupt.ts";
import { runSteps, type StepMetrics } from "./loop.ts";
import { MetricsFile } from "./metrics.ts";
import { MetricsLog } from "./metrics_log.ts";
import { profileStage } from "./profile.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { earlierStages, type Replica, type ReplicaAxes, replicasOf } from "./replicas.ts";
import { keepStage, type RunCache, takeCached } from "./stage_reuse.ts";

/** Time between two checkpoints of a stage under way, in milliseconds. */
const checkpointMilliseconds = 5 * 60 * 1000;

/** Looks at a stage's policies while it is trained. */
export interface Observer {
  /** Steps between two looks. */
  readonly every: number;
  /**
   * Returns what to add to the metrics, one number for each of `replicas`, whose checkpoints it is
   * given. It must not wait for the GPU.
   */
  look(
    stage: StageName,
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
  readonly stages: readonly StageName[];
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
  readonly stage: StageName;
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
    const result = await trainOne(run, name);
    results.push(result);
    if (result.step < result.steps) break;
  }
  return results;
}

async function trainOne(run: TrainingRun, name: StageName): Promise<StageResult> {
  const total = stepsOf(name, run.hyperparameters);
  const replicas = replicasOf(run, name);
  for (const { directory } of replicas) {
    Deno.mkdirSync(dirname(directory.checkpoint(name)), { recursive: true });
  }
  if (name === "policy") await shareEarlier(run, replicas);
  const checkpoint = ({ directory }: Replica) => directory.checkpoint(name);
  const done = (replica: Replica) =>
    run.resume && isFile(checkpoint(replica)) && readCheckpoint(checkpoint(replica)).step === total;
  const left = replicas.filter((replica) => !done(replica));
  const { cache } = run;
  const reusable = cache && { name, kernels: kernelsOf(run, name) };
  const cached = cache && reusable
    ? await takeCached(cache, reusable, left, run.announce)
    : new Map<Replica, string>();
  const pending = left.filter((replica) => !cached.has(replica));

  const trained = await trainReplicas(run, name, replicas, pending);
  const result = {
    ...trained,
    stage: name,
    steps: total,
    cached: [...cached].map(([{ directory }, from]) => ({ directory: directory.path, run: from })),
  };
  if (name === "policy") {
    for (const replica of replicas.filter((each) => isFile(checkpoint(each)))) {
      await writePolicy(replica.directory.policy, Deno.readFileSync(checkpoint(replica)));
    }
  }
  if (result.step < total) return result;
  if (cache && reusable) await keepStage(cache, reusable, pending, run.directory.path);
  // What this process trained throughout has been looked at.
  if (pending.length < replicas.length && run.observer && name !== "behavior") {
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
function kernelsOf({ engine, buffer, hyperparameters }: TrainingRun, name: StageName): string[] {
  const graph = new Graph({ seeds: [0] });
  trainingStage(name, graph, buffer, hyperparameters);
  return engine.kernelTexts(graph);
}

/** What a stage takes of the GPU's memory. */
function memoryText(name: StageName, program: Program, buffer: ReplayBuffer): string {
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return `memory   ${name}: ${mebibytes(program.plannedBytes)} of GPU memory planned, ` +
    `${mebibytes(program.bytes)} allocated; data set ${mebibytes(buffer.bytes)}`;
}

/** Trains `pending`, some or all of the replicas of a stage, from where their checkpoints are. */
async function trainReplicas(
  run: TrainingRun,
  name: StageName,
  replicas: readonly Replica[],
  pending: readonly Replica[],
): Promise<Pick<StageResult, "step" | "losses" | "dispatches" | "made" | "seconds">> {
  const { engine, hyperparameters: h } = run;
  const total = stepsOf(name, h);
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
  const stage = trainingStage(
    name,
    graph,
    run.buffer,
    h,
    (replica) => pending[replica]!.hyperparameters,
  );
  const program = await engine.compile(graph);
  using metrics = openMetrics(run, name, start);
  const progress = new Progress(name, total, run.progress, start);
  const log = new MetricsLog(metrics, name, total, places);
  const looks: Promise<void>[] = [];
  let step = start;
  try {
    pending.forEach((replica, place) => {
      const earlier = earlierCheckpoints(name, replica);
      if (present) loadNetworks(program, stage, place, [present[place]!, ...earlier], true);
      else initialiseNetworks(program, stage, place, replica, earlier);
    });
    run.announce(memoryText(name, program, run.buffer));
    if (run.profile) {
      const { text, files } = await profileStage(engine, program, name, step, run.directory.path);
      progress.skipTime();
      run.announce(`\n${text}\n${files.map((file) => `profile  ${file}`).join("\n")}\n`);
    }
    const began = performance.now();
    const save = async (): Promise<Uint8Array[]> => {
      const encoded = await encodeCheckpoints(program, stage, pending.length, step);
      metrics.flush();
      await Promise.all(encoded.map((bytes, place) => writeAtomic(own[place]!, bytes)));
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
      // The last look at a stage of which a part is trained goes over all of it, afterwards.
      const look = step % every === 0 && step < total || step === total && !places;
      if (run.observer && name !== "behavior" && look) {
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
function openMetrics({ directory }: TrainingRun, stage: StageName, step: number): MetricsFile {
  return isFile(directory.metrics)
    ? MetricsFile.resume(directory.metrics, stage, step)
    : MetricsFile.create(directory.metrics);
}

/** Checkpoints to go on from; null where the stage begins. */
function underWay(run: TrainingRun, stage: StageName, paths: readonly string[]) {
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

/** Networks of a new stage: initial values for what it trains, earlier stages' for the others. */
function initialiseNetworks(
  program: Program,
  stage: Stage,
  place: number,
  { seed, hyperparameters }: Replica,
  earlier: ReturnType<typeof earlierCheckpoints>,
): void {
  for (const network of stage.networks) {
    if (network.initial === undefined) continue;
    // Twin networks are neighbouring replicas of one seed, and each starts from its own values.
    network.prefixes.forEach((_, member) =>
      network.parameters.write(
        program,
        place * network.prefixes.length + member,
        initialValues(network, seed, member, hyperparameters),
      )
    );
  }
  const frozen = stage.networks.filter(({ initial }) => initial === undefined);
  if (frozen.length > 0) {
    loadNetworks(program, { ...stage, networks: frozen }, place, earlier, false);
  }
}

/** Checkpoints of the stages before `name` for one replica. */
function earlierCheckpoints(name: StageName, { directory }: Replica) {
  return name === "policy"
    ? earlierStages.map((stage) => readCheckpoint(directory.checkpoint(stage)))
    : [];
}

/** Puts the seed's critic and behavior model into the directories of its variants. */
async function shareEarlier(run: TrainingRun, replicas: readonly Replica[]): Promise<void> {
  for (const stage of earlierStages) {
    const seeds = replicasOf(run, stage);
    for (const { seed, directory } of replicas) {
      const from = seeds.find((replica) => replica.seed === seed)!.directory.checkpoint(stage);
      const to = directory.checkpoint(stage);
      if (from !== to) await shareFile(from, to);
    }
  }
}

/** The losses that the progress line shows, means over the replicas. */
function shown(name: StageName, values: StepMetrics): Record<string, number> {
  return Object.fromEntries(
    shownLosses[name].map((loss) => [loss, mean(values[loss] ?? [])]),
  );
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
