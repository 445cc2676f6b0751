/**
 * Evaluations of a stage's policies during training. They run one after another while training
 * continues, and their results go to the metrics file. A policy that waits for its evaluation is
 * stored in `checkpoints/` as `evaluate-<stage>-<step>.safetensors`, so that a stopped run
 * evaluates it when resumed.
 *
 * @module
 */
import { dirname } from "node:path";
import type { EpisodeRecord } from "../envs/evaluation.ts";
import { UserError } from "../errors.ts";
import { assertFingerprint, readCheckpoint } from "./checkpoint.ts";
import { sha256 } from "./checksum.ts";
import { writeAtomic } from "./files.ts";
import type { Metrics, MetricsFile } from "./metrics.ts";
import type { Replica } from "./replicas.ts";

/** The result of evaluating one policy. */
export interface PolicyEvaluation {
  /** Metrics over the episodes. */
  readonly metrics: Metrics;
  /** The episodes. */
  readonly episodes: readonly EpisodeRecord[];
}

/** Called with the number of finished episodes and the total. */
export type EpisodeProgress = (done: number, total: number) => void;

/** Evaluates a stage's policies. */
export interface Evaluator {
  /** Steps between evaluations. */
  readonly every: number;
  /** Episodes per evaluation. */
  readonly episodes: number;
  /**
   * Evaluates the policy in each replica's checkpoint. It must not wait for the GPU.
   *
   * @param stop Stops it.
   * @returns One evaluation per replica, or null if a signal stopped it.
   */
  evaluate(
    stage: string,
    step: number,
    checkpoints: readonly Uint8Array[],
    replicas: readonly Replica[],
    progress: EpisodeProgress,
    stop: AbortSignal | undefined,
  ): Promise<readonly PolicyEvaluation[] | null>;
}

/** A pending evaluation. */
interface Job {
  readonly step: number;
  readonly replicas: readonly Replica[];
  /** Reads the checkpoints in the order of the replicas. */
  readonly checkpoints: () => readonly Uint8Array[];
  /** Files to delete when the job is done. */
  readonly files: readonly string[];
}

/** The queue of a stage's evaluations. */
export class EvaluationQueue {
  readonly #evaluator: Evaluator;
  readonly #stage: string;
  readonly #metrics: MetricsFile;
  readonly #progress: EpisodeProgress;
  readonly #stop: AbortSignal | undefined;
  #last: Promise<void> = Promise.resolve();
  #planned = 0;
  #ended = 0;
  #stopped = false;

  /** Creates an empty queue that writes evaluations to `metrics`. `stop` ends them. */
  constructor(
    evaluator: Evaluator,
    stage: string,
    metrics: MetricsFile,
    progress: EpisodeProgress,
    stop?: AbortSignal,
  ) {
    this.#stop = stop;
    this.#evaluator = evaluator;
    this.#stage = stage;
    this.#metrics = metrics;
    this.#progress = progress;
  }

  /** Adds an evaluation of the checkpoints in the replicas' folders. */
  add(step: number, replicas: readonly Replica[]): void {
    const files = replicas.map(({ directory }) => directory.checkpoint(this.#stage));
    this.#push({ step, replicas, checkpoints: () => files.map(readFile), files: [] });
  }

  /**
   * Adds an evaluation of policies whose training continues. Call it before writing the stage's
   * checkpoints of this step.
   */
  async addWaiting(
    step: number,
    replicas: readonly Replica[],
    checkpoints: readonly Uint8Array[],
  ): Promise<void> {
    const files = replicas.map((replica) => waitingFile(replica, this.#stage, step));
    for (const [place, file] of files.entries()) await writeAtomic(file, checkpoints[place]!);
    // Read again when it is their turn: many that wait would fill the memory.
    this.#push({ step, replicas, checkpoints: () => files.map(readFile), files });
  }

  /**
   * Adds the evaluations that an earlier process left waiting, up to the step of its checkpoints.
   * Removes those of later steps, which are trained again, damaged ones, and those of another run.
   *
   * @param fingerprint Returns the fingerprint of a replica's checkpoints.
   * @param evaluated Returns whether the metrics file already has an evaluation.
   * @param announce Called with a message for every damaged one and every one of another run.
   */
  resume(
    step: number,
    replicas: readonly Replica[],
    fingerprint: (replica: Replica) => string,
    evaluated: (replica: Replica, step: number) => boolean,
    announce: (line: string) => void,
  ): void {
    const waiting = new Map<number, Replica[]>();
    for (const replica of replicas) {
      for (const waited of waitingSteps(replica, this.#stage)) {
        const file = waitingFile(replica, this.#stage, waited);
        const usable = waited <= step && !evaluated(replica, waited) &&
          isIntact(file, fingerprint(replica), announce);
        if (usable) {
          waiting.set(waited, [...waiting.get(waited) ?? [], replica]);
        } else Deno.removeSync(file);
      }
    }
    for (const [waited, some] of [...waiting].sort(([a], [b]) => a - b)) {
      const files = some.map((replica) => waitingFile(replica, this.#stage, waited));
      this.#push({ step: waited, replicas: some, checkpoints: () => files.map(readFile), files });
    }
  }

  /** Number of planned episodes. */
  get planned(): number {
    return this.#planned;
  }

  /** Waits for all evaluations. Returns false if a signal stopped them. */
  async finish(): Promise<boolean> {
    await this.#last;
    return !this.#stopped;
  }

  #push(job: Job): void {
    this.#planned += job.replicas.length * this.#evaluator.episodes;
    const next = this.#last.then(() => this.#make(job));
    // finish() reports a failure, possibly much later.
    next.catch(() => {});
    this.#last = next;
  }

  async #make({ step, replicas, checkpoints, files }: Job): Promise<void> {
    if (this.#stopped) return;
    const before = this.#ended;
    const policies = checkpoints();
    const found = await this.#evaluator.evaluate(
      this.#stage,
      step,
      policies,
      replicas,
      (done) => {
        this.#ended = before + done;
        this.#progress(this.#ended, this.#planned);
      },
      this.#stop,
    );
    if (found === null) {
      this.#stopped = true;
      return;
    }
    replicas.forEach(({ seed, variant }, place) => {
      const checkpoint = sha256(policies[place]!);
      const evaluation = { ...found[place]!, checkpoint };
      this.#metrics.append({ stage: this.#stage, step, seed, variant, ...evaluation });
    });
    await this.#metrics.flush();
    for (const file of files) Deno.removeSync(file);
  }
}

/**
 * Removes the policies that wait for an evaluation, in a run that makes none.
 *
 * @returns Their number.
 */
export function discardWaiting(stage: string, replicas: readonly Replica[]): number {
  const files = replicas.flatMap((replica) =>
    waitingSteps(replica, stage).map((step) => waitingFile(replica, stage, step))
  );
  for (const file of files) Deno.removeSync(file);
  return files.length;
}

function waitingFile({ directory }: Replica, stage: string, step: number): string {
  return directory.checkpoint(`evaluate-${stage}-${step}`);
}

/** Returns the steps of the policies that wait in a replica's folder. */
function waitingSteps(replica: Replica, stage: string): number[] {
  const folder = dirname(waitingFile(replica, stage, 0));
  const pattern = new RegExp(`^evaluate-${stage}-(\\d+)\\.safetensors$`);
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    const found = pattern.exec(name);
    return found === null ? [] : [Number(found[1])];
  });
}

function isIntact(
  path: string,
  fingerprint: string,
  announce: (line: string) => void,
): boolean {
  try {
    assertFingerprint(path, readCheckpoint(path).file, fingerprint);
    return true;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    announce(`evaluate ${error.message}; this evaluation is not made`);
    return false;
  }
}

function readFile(path: string): Uint8Array {
  return Deno.readFileSync(path);
}
