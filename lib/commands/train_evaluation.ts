/**
 * Evaluations while and after training: a policy of each seed in its environment, in a worker so that
 * the GPU goes on, and the table that sets them beside random actions and the data.
 *
 * @module
 */
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { episodesOf } from "../data/summary.ts";
import { evaluateInWorker } from "../envs/evaluate_in_worker.ts";
import { summarize } from "../envs/evaluation.ts";
import { environments } from "../envs/ids.ts";
import { countsSuccess, normalizedScore, referenceReturn } from "../envs/scores.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import { formatTable } from "../report/table.ts";
import { decode } from "../runs/safetensors.ts";
import type { StageName } from "../srpo/stage.ts";

/** One evaluation. */
export interface EvaluationRow {
  readonly stage: StageName;
  readonly step: number;
  readonly seed: number;
  readonly meanReturn: number;
  readonly stdReturn: number;
  /** D4RL's score; null where the task has no reference returns. */
  readonly score: number | null;
  /** Episodes that reached the goal, of mazes. */
  readonly reached: number | null;
  readonly episodes: number;
}

/** Evaluates the policies of a run. */
export class Evaluations {
  readonly #task: Task;
  readonly #seeds: readonly number[];
  readonly #episodes: number;
  readonly #dataReturn: number | null;
  readonly #rows: EvaluationRow[] = [];

  private constructor(task: Task, seeds: readonly number[], episodes: number, data: number | null) {
    this.#task = task;
    this.#seeds = seeds;
    this.#episodes = episodes;
    this.#dataReturn = data;
  }

  /** Evaluations of `task`; null where none are wanted or there is no such environment. */
  static open(
    task: Task,
    data: OfflineDataset,
    seeds: readonly number[],
    episodes: number,
  ): Evaluations | null {
    if (episodes === 0 || !environments.has(task.name)) return null;
    return new Evaluations(task, seeds, episodes, dataReturn(task, data));
  }

  /** Whether anything was evaluated. */
  get any(): boolean {
    return this.#rows.length > 0;
  }

  /** Evaluates the policy in each seed's checkpoint of a stage. */
  async look(
    stage: StageName,
    step: number,
    checkpoints: readonly Uint8Array[],
  ): Promise<Record<string, readonly number[]>> {
    const rows: EvaluationRow[] = [];
    for (const [replica, bytes] of checkpoints.entries()) {
      const { tensors } = decode(bytes, `${stage} checkpoint`);
      const own = [...tensors].filter(([name]) => name.startsWith("policy.net."))
        .map(([name, tensor]) => [name.slice("policy.".length), tensor] as const);
      const episodes = await evaluateInWorker({
        policy: { source: `the ${stage} stage's policy`, tensors: new Map(own) },
        task: this.#task.name,
        seeds: evaluationSeeds(0, this.#episodes),
      });
      const found = summarize(this.#task.name, episodes, referenceReturn(this.#task.name));
      rows.push({
        stage,
        step,
        seed: this.#seeds[replica]!,
        meanReturn: found.return.mean,
        stdReturn: found.return.std,
        score: found.score?.mean ?? null,
        reached: this.#task.family === "locomotion"
          ? null
          : episodes.filter((episode) => episode.return > 0).length,
        episodes: episodes.length,
      });
    }
    this.#rows.push(...rows);
    return {
      eval_return: rows.map(({ meanReturn }) => meanReturn),
      ...(rows.every(({ score }) => score !== null) && {
        eval_score: rows.map(({ score }) => score!),
      }),
    };
  }

  /** The evaluations for programs. */
  json(): readonly EvaluationRow[] {
    return this.#rows;
  }

  /** Random actions, the data, and each policy: its last evaluation, and its best where that differs. */
  table(): string {
    const reference = referenceReturn(this.#task.name);
    const maze = this.#task.family !== "locomotion";
    const line = (who: string, seed: string, value: number, std: number | null, more: string[]) => [
      who,
      seed,
      std === null ? value.toFixed(1) : `${value.toFixed(1)} ± ${std.toFixed(1)}`,
      ...more,
    ];
    const score = (value: number) =>
      reference === null || countsSuccess(this.#task.name)
        ? (reference === null ? "–" : (100 * value).toFixed(1))
        : normalizedScore(value, reference).toFixed(1);
    const blank = maze ? ["–"] : [];
    const lines: string[][] = [];
    if (reference !== null) {
      lines.push(
        line("random (D4RL's figure)", "", reference.min, null, [score(reference.min), ...blank]),
      );
    }
    if (this.#dataReturn !== null) {
      lines.push(line("data", "", this.#dataReturn, null, [score(this.#dataReturn), ...blank]));
    }
    for (const [stage, name] of [["critic", "IQL"], ["policy", "SRPO"]] as const) {
      for (const seed of this.#seeds) {
        const rows = this.#rows.filter((row) => row.stage === stage && row.seed === seed);
        const last = rows.at(-1);
        if (!last) continue;
        const best = rows.reduce((a, b) => b.meanReturn > a.meanReturn ? b : a);
        for (
          const [row, which] of best === last
            ? [[last, ""]] as const
            : [[last, ", last"], [best, ", best"]] as const
        ) {
          lines.push(line(
            `${name}${which} (step ${row.step.toLocaleString("en-US")})`,
            String(seed),
            row.meanReturn,
            row.stdReturn,
            [
              row.score === null ? "–" : row.score.toFixed(1),
              ...(maze ? [`${row.reached} of ${row.episodes}`] : []),
            ],
          ));
        }
      }
    }
    const paper = this.#task.paperScore;
    return formatTable(
      ["policy", "seed", "return", "D4RL score", ...(maze ? ["reached the goal"] : [])],
      lines,
    ) + (paper === null ? "" : `\nThe paper's SRPO: ${paper.mean} ± ${paper.std}.`);
  }
}

/**
 * Mean return of the data's episodes. Maze2d's data are one long walk, from which follows what an
 * episode of the step limit collects on average.
 */
function dataReturn(task: Task, data: OfflineDataset): number | null {
  if (task.family === "maze2d") {
    const total = data.rewards.reduce((sum, reward) => sum + reward, 0);
    return (total / data.rows) * task.maxEpisodeSteps;
  }
  const complete = episodesOf(data).filter(({ ending }) => ending !== "cut");
  if (complete.length === 0) return null;
  return complete.reduce((sum, episode) => sum + episode.return, 0) / complete.length;
}
