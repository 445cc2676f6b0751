/**
 * Evaluations of a stage's policies while it is trained: made one after another, so that training goes
 * on meanwhile, and written to the metrics file. A policy that waits for its evaluation lies in the
 * run's `checkpoints/` as `evaluate-<stage>-<step>.safetensors`, so that a run that is stopped makes
 * the evaluation when it goes on.
 *
 * @module
 */
import { dirname } from "node:path";
import type { EpisodeRecord } from "../envs/evaluation.ts";
import { writeAtomic } from "./files.ts";
import type { Metrics, MetricsFile } from "./metrics.ts";
import type { Replica } from "./replicas.ts";

/** What an evaluation of one policy gives. */
export interface PolicyEvaluation {
  /** Its figures. */
  readonly metrics: Metrics;
  /** Its episodes. */
  readonly episodes: readonly EpisodeRecord[];
}

/** Takes in how many of all episodes have ended. */
export type EpisodeProgress = (done: number, total: number) => void;

/** Evaluates a stage's policies. */
export interface Evaluator {
  /** Steps between two evaluations. */
  readonly every: number;
  /** Episodes of an evaluation. */
  readonly episodes: number;
  /**
   * Evaluates the policy of each replica, from its checkpoint. It must not wait for the GPU.
   *
   * @returns One evaluation for each replica; null where it was stopped by a signal.
   */
  evaluate(
    stage: string,
    step: number,
    checkpoints: readonly Uint8Array[],
    replicas: readonly Replica[],
    progress: EpisodeProgress,
  ): Promise<readonly PolicyEvaluation[] | null>;
}

/** One evaluation to be made. */
interface Job {
  readonly step: number;
  readonly replicas: readonly Replica[];
  /** Reads the checkpoints in the order of the replicas. */
  readonly checkpoints: () => readonly Uint8Array[];
  /** Files that stand for the job until it is done. */
  readonly files: readonly string[];
}

/** The evaluations of one stage, in order. */
export class EvaluationQueue {
  readonly #evaluator: Evaluator;
  readonly #stage: string;
  readonly #metrics: MetricsFile;
  readonly #progress: EpisodeProgress;
  #last: Promise<void> = Promise.resolve();
  #planned = 0;
  #ended = 0;
  #stopped = false;

  /** An empty queue, whose evaluations go to `metrics`. */
  constructor(
    evaluator: Evaluator,
    stage: string,
    metrics: MetricsFile,
    progress: EpisodeProgress,
  ) {
    this.#evaluator = evaluator;
    this.#stage = stage;
    this.#metrics = metrics;
    this.#progress = progress;
  }

  /** Evaluates checkpoints that lie in the replicas' folders, whenever its turn comes. */
  add(step: number, replicas: readonly Replica[]): void {
    const files = replicas.map(({ directory }) => directory.checkpoint(this.#stage));
    this.#push({ step, replicas, checkpoints: () => files.map(readFile), files: [] });
  }

  /**
   * Evaluates policies of which training goes on. To be called before the stage's own checkpoints of
   * this step are written.
   */
  async addWaiting(
    step: number,
    replicas: readonly Replica[],
    checkpoints: readonly Uint8Array[],
  ): Promise<void> {
    const files = replicas.map((replica) => waitingFile(replica, this.#stage, step));
    for (const [place, file] of files.entries()) await writeAtomic(file, checkpoints[place]!);
    this.#push({ step, replicas, checkpoints: () => checkpoints, files });
  }

  /**
   * Takes up what an earlier process left waiting, up to the step that its checkpoints are of; what lies
   * beyond is trained again and removed.
   *
   * @param evaluated Whether the metrics file has an evaluation already.
   */
  resume(
    step: number,
    replicas: readonly Replica[],
    evaluated: (replica: Replica, step: number) => boolean,
  ): void {
    const waiting = new Map<number, Replica[]>();
    for (const replica of replicas) {
      for (const waited of waitingSteps(replica, this.#stage)) {
        if (waited > step || evaluated(replica, waited)) {
          Deno.removeSync(waitingFile(replica, this.#stage, waited));
        } else waiting.set(waited, [...waiting.get(waited) ?? [], replica]);
      }
    }
    for (const [waited, some] of [...waiting].sort(([a], [b]) => a - b)) {
      const files = some.map((replica) => waitingFile(replica, this.#stage, waited));
      this.#push({ step: waited, replicas: some, checkpoints: () => files.map(readFile), files });
    }
  }

  /** Waits for all evaluations; returns false where a signal has stopped them. */
  async finish(): Promise<boolean> {
    await this.#last;
    return !this.#stopped;
  }

  #push(job: Job): void {
    this.#planned += job.replicas.length * this.#evaluator.episodes;
    const next = this.#last.then(() => this.#make(job));
    // A failure is reported by finish(), which may come much later.
    next.catch(() => {});
    this.#last = next;
  }

  async #make({ step, replicas, checkpoints, files }: Job): Promise<void> {
    if (this.#stopped) return;
    const before = this.#ended;
    const found = await this.#evaluator.evaluate(
      this.#stage,
      step,
      checkpoints(),
      replicas,
      (done) => {
        this.#ended = before + done;
        this.#progress(this.#ended, this.#planned);
      },
    );
    if (found === null) {
      this.#stopped = true;
      return;
    }
    replicas.forEach(({ seed, variant }, place) =>
      this.#metrics.append({ stage: this.#stage, step, seed, variant, ...found[place]! })
    );
    for (const file of files) Deno.removeSync(file);
  }
}

function waitingFile({ directory }: Replica, stage: string, step: number): string {
  return directory.checkpoint(`evaluate-${stage}-${step}`);
}

/** Steps of the policies that wait in a replica's folder. */
function waitingSteps(replica: Replica, stage: string): number[] {
  const folder = dirname(waitingFile(replica, stage, 0));
  const pattern = new RegExp(`^evaluate-${stage}-(\\d+)\\.safetensors$`);
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    const found = pattern.exec(name);
    return found === null ? [] : [Number(found[1])];
  });
}

function readFile(path: string): Uint8Array {
  return Deno.readFileSync(path);
}
