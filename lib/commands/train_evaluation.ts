/**
 * Evaluations while and after training: the policy of each seed and variant in its environment, in a
 * worker so that the GPU goes on; the table that sets them beside random actions and the data, and
 * their statistics over seeds.
 *
 * @module
 */
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithms } from "../algorithms/registry.ts";
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { episodesOf } from "../data/summary.ts";
import { evaluateHere } from "../envs/evaluate_here.ts";
import { evaluateInWorker } from "../envs/evaluate_in_worker.ts";
import { summarize } from "../envs/evaluation.ts";
import { environments } from "../envs/ids.ts";
import { countsSuccess, normalizedScore, referenceReturn } from "../envs/scores.ts";
import type { Episode } from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import { bootstrapResamples, type SeedStatistics, statisticsOf } from "../report/statistics.ts";
import { formatTable } from "../report/table.ts";
import type { RunDirectory } from "../runs/directory.ts";
import { type Replica, stageOf } from "../runs/replicas.ts";
import { decode } from "../runs/safetensors.ts";
import { optionsOf } from "../runs/trained.ts";

/** One evaluation. */
export interface EvaluationRow {
  /** Stage whose policy it is. */
  readonly stage: string;
  /** Steps of the stage done. */
  readonly step: number;
  /** Seed it is trained with. */
  readonly seed: number;
  /** Name of the variant in a sweep's policy stage, else null. */
  readonly variant: string | null;
  /** Mean of the episodes' returns. */
  readonly meanReturn: number;
  /** Their standard deviation. */
  readonly stdReturn: number;
  /** D4RL's score; null where the task has no reference returns. */
  readonly score: number | null;
  /** Episodes that reached the goal, of mazes. */
  readonly reached: number | null;
  /** Episodes played. */
  readonly episodes: number;
}

/** The last evaluations of all seeds of a stage, or of one variant in it. */
export interface EvaluationStatistics extends SeedStatistics {
  /** Stage whose policies they are. */
  readonly stage: string;
  /** Name of the variant in a sweep's policy stage, else null. */
  readonly variant: string | null;
  /** Seeds in the order of `values`. */
  readonly seeds: readonly number[];
  /** What the values are: D4RL's scores, or returns where the task has no reference returns. */
  readonly quantity: "score" | "return";
}

/** Evaluates the policies of a run. */
export class Evaluations {
  readonly #algorithm: Algorithm;
  readonly #task: Task;
  readonly #episodes: number;
  readonly #dataReturn: number | null;
  readonly #rows: EvaluationRow[] = [];

  private constructor(algorithm: Algorithm, task: Task, episodes: number, data: number | null) {
    this.#algorithm = algorithm;
    this.#task = task;
    this.#episodes = episodes;
    this.#dataReturn = data;
  }

  /** Evaluations on `task`; null where none are wanted or there is no such environment. */
  static open(
    algorithm: Algorithm,
    task: Task,
    data: OfflineDataset,
    episodes: number,
  ): Evaluations | null {
    if (episodes === 0 || !environments.has(task.name)) return null;
    return new Evaluations(algorithm, task, episodes, dataReturn(task, data));
  }

  /** Whether anything was evaluated. */
  get any(): boolean {
    return this.#rows.length > 0;
  }

  /** The evaluations in the order they were made. */
  get rows(): readonly EvaluationRow[] {
    return this.#rows;
  }

  /** The stages that have an actor, with what tables call it. */
  get #evaluated(): readonly (readonly [stage: string, title: string])[] {
    const { stages, actors } = this.#algorithm;
    return stages.flatMap(({ name, evaluated }) => {
      const actor = actors.find((each) => each.name === evaluated);
      return actor === undefined ? [] : [[name, actor.title] as const];
    });
  }

  /** Evaluates the stage's actor with each replica's checkpoint of the stage. */
  async look(
    stage: string,
    step: number,
    checkpoints: readonly Uint8Array[],
    replicas: readonly Pick<Replica, "seed" | "variant" | "directory">[],
  ): Promise<Record<string, readonly number[]>> {
    const rows: EvaluationRow[] = [];
    for (const [place, bytes] of checkpoints.entries()) {
      const episodes = await this.#play(stage, bytes, replicas[place]!.directory);
      const found = summarize(this.#task.name, episodes, referenceReturn(this.#task.name));
      rows.push({
        stage,
        step,
        seed: replicas[place]!.seed,
        variant: replicas[place]!.variant,
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

  /** Plays the episodes of an evaluation with the stage's actor. */
  async #play(stage: string, checkpoint: Uint8Array, directory: RunDirectory): Promise<Episode[]> {
    const algorithm = this.#algorithm;
    const { evaluated } = stageOf(algorithm, stage);
    const actor = algorithm.actors.find(({ name }) => name === evaluated)!;
    const checkpoints = Object.fromEntries(actor.needs.map((each) => {
      const path = directory.checkpoint(each);
      const bytes = each === stage ? checkpoint : Deno.readFileSync(path);
      return [each, { source: path, tensors: decode(bytes, path).tensors }];
    }));
    const options = optionsOf(actor);
    const task = this.#task.name;
    const seeds = evaluationSeeds(0, this.#episodes);
    // A worker can load an algorithm only where it is registered.
    return algorithms.get(algorithm.name) === algorithm
      ? await evaluateInWorker({
        algorithm: algorithm.name,
        actor: actor.name,
        checkpoints,
        options,
        task,
        seeds,
      })
      : await evaluateHere(actor.act(checkpoints, options), task, seeds);
  }

  /**
   * Statistics over seeds of the last evaluations, for each stage and variant, ordered by stage and
   * otherwise as they were evaluated.
   */
  statistics(): EvaluationStatistics[] {
    return this.#evaluated.flatMap(([stage]) => {
      const last = this.#last(stage);
      const quantity = last.every(({ score }) => score !== null) ? "score" : "return";
      return distinct(last.map(({ variant }) => variant)).map((variant) => {
        const rows = last.filter((row) => row.variant === variant);
        const values = rows.map((row) => quantity === "score" ? row.score! : row.meanReturn);
        const seeds = rows.map(({ seed }) => seed);
        return { stage, variant, seeds, quantity, ...statisticsOf(values) };
      });
    });
  }

  /** Every policy's evaluation, and where there are several seeds or variants, their statistics. */
  tables(): string {
    const paper = this.#task.paperScore;
    return [
      this.#evaluationTable(),
      ...(this.#rows.some(({ seed, variant }) => seed !== this.#rows[0]!.seed || variant !== null)
        ? [`\n${this.#statisticsTable()}`]
        : []),
      ...(paper === null ? [] : [`The paper's SRPO: ${paper.mean} ± ${paper.std}.`]),
    ].join("\n");
  }

  /** The last evaluation of each seed and variant in a stage. */
  #last(stage: string): EvaluationRow[] {
    const rows = this.#rows.filter((row) => row.stage === stage);
    const last = new Map(rows.map((row) => [`${row.seed} ${row.variant}`, row]));
    return [...last.values()];
  }

  #statisticsTable(): string {
    const statistics = this.statistics();
    const titles = new Map(this.#evaluated);
    const quantity = statistics[0]!.quantity === "score" ? "D4RL score" : "return";
    const table = formatTable(
      ["actor", "of each seed", `${quantity}, mean ± std`, "interquartile mean", "95 % interval"],
      statistics.map(({ stage, variant, values, mean, std, interquartileMean, interval }) => [
        named(titles.get(stage)!, variant),
        values.map((value) => value.toFixed(1)).join(" "),
        `${mean.toFixed(1)} ± ${std.toFixed(1)}`,
        interquartileMean.toFixed(1),
        interval === null ? "–" : interval.map((value) => value.toFixed(1)).join(" to "),
      ]),
    );
    const seeds = distinct(this.#rows.map(({ seed }) => seed)).join(", ");
    return `${table}\nOver seeds ${seeds}; intervals by bootstrap, ${bootstrapResamples} resamples.`;
  }

  /** Random actions, the data, and each policy: its last evaluation, and its best where that differs. */
  #evaluationTable(): string {
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
    for (const [stage, name] of this.#evaluated) {
      for (const last of this.#last(stage)) {
        const { seed, variant } = last;
        const rows = this.#rows.filter((row) =>
          row.stage === stage && row.seed === seed && row.variant === variant
        );
        const best = rows.reduce((a, b) => b.meanReturn > a.meanReturn ? b : a);
        for (
          const [row, which] of best === last
            ? [[last, ""]] as const
            : [[last, ", last"], [best, ", best"]] as const
        ) {
          lines.push(line(
            `${named(name, variant)}${which} (step ${row.step.toLocaleString("en-US")})`,
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
    return formatTable(
      ["actor", "seed", "return", "D4RL score", ...(maze ? ["reached the goal"] : [])],
      lines,
    );
  }
}

function named(policy: string, variant: string | null): string {
  return variant === null ? policy : `${policy} ${variant}`;
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
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
