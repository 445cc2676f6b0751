/**
 * The runs of a report in groups whose scores can be compared, and within a group in series: runs
 * that differ in nothing but their seeds.
 *
 * @module
 */
import type { PaperScore } from "../data/catalog.ts";
import { statisticsOf } from "../report/statistics.ts";
import type { EvaluationRow } from "../runs/results.ts";
import { atLatestStep, lastEvaluations } from "./results_table.ts";
import { differencesOf, protocolDifferences } from "./run_difference.ts";
import type { RunRecord } from "./run_record.ts";

/** Runs of the same settings with different seeds. */
export interface Series {
  /** Name that tells it from the other series of its group. */
  readonly name: string;
  /** The runs; at least one. */
  readonly runs: readonly [RunRecord, ...RunRecord[]];
}

/** Series with the same data and evaluation protocol. */
export interface Group {
  /** The series; at least one. */
  readonly series: readonly [Series, ...Series[]];
}

/** Statistics of one actor of a series, over its seeds. */
export interface ActorScore {
  /** The series. */
  readonly series: Series;
  /** Stage that trained the actor. */
  readonly stage: string;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Title of the actor. */
  readonly title: string;
  /** Variant of a sweep, or null. */
  readonly variant: string | null;
  /** Score of this kind of policy in the paper's Table 1; null if the table has none. */
  readonly paper: PaperScore | null;
  /** Seeds, in the order of the values. */
  readonly seeds: readonly number[];
  /** Step of the seeds' last evaluations. */
  readonly step: number;
  /** Seeds that are left out, because their last evaluation is of an earlier step. */
  readonly leftOut: readonly number[];
  /** Statistics of each seed's last evaluation. */
  readonly last: ReturnType<typeof statisticsOf>;
  /** Statistics of each seed's best evaluation. */
  readonly best: ReturnType<typeof statisticsOf>;
  /** Largest number of evaluations of a seed: of so many the best one is chosen. */
  readonly evaluations: number;
}

/** Settings in which runs of one series may differ: their seeds, and where and when they ran. */
const asideFromTraining =
  /^(seeds|version|deno|cache|earlier|adapter\b.*|given\b.*|data\.(file|rows)|evaluation\.every)$/;

/** Groups runs by data and protocol, and within a group by settings. */
export function groupsOf(runs: readonly RunRecord[]): Group[] {
  return partition(runs, (a, b) => protocolDifferences(a, b).length === 0).map((group) => {
    const series = partition(group, inOneSeries);
    const names = namesOf(series);
    const [first, ...others] = series.map((runs, i): Series => ({ name: names[i]!, runs }));
    return { series: [first!, ...others] };
  });
}

/** Returns the statistics of every evaluated actor of a group, in the order of the stages. */
export function scoresOf({ series }: Group): ActorScore[] {
  return series.flatMap((each) =>
    each.runs[0].actors.flatMap(({ stage, policy, title, paper_score: paper = null }) => {
      const rows = each.runs.flatMap(({ evaluations }) => evaluations)
        .filter((row) => row.stage === stage);
      const last = lastEvaluations(rows, stage);
      const variants = [...new Set(last.map(({ variant }) => variant))];
      return variants.map((variant) => {
        const every = last.filter((row) => row.variant === variant);
        const lasts = atLatestStep(every);
        const of = lasts.map(({ seed }) =>
          rows.filter((row) => row.seed === seed && row.variant === variant)
        );
        return {
          series: each,
          stage,
          policy,
          title,
          variant,
          paper,
          seeds: lasts.map(({ seed }) => seed),
          step: lasts[0]!.step,
          leftOut: every.filter((row) => !lasts.includes(row)).map(({ seed }) => seed),
          last: statisticsOf(lasts.map(valueOf)),
          best: statisticsOf(of.map((rows) => Math.max(...rows.map(valueOf)))),
          evaluations: Math.max(...of.map(({ length }) => length)),
        };
      });
    })
  );
}

/** Returns what the evaluations of a group measure. */
export function quantityOf({ series }: Group): "D4RL score" | "return" {
  const rows = series.flatMap(({ runs }) => runs).flatMap(({ evaluations }) => evaluations);
  return rows.length > 0 && rows.every(({ score }) => score !== null) ? "D4RL score" : "return";
}

function valueOf({ score, mean_return }: EvaluationRow): number {
  return score ?? mean_return;
}

/** Whether runs are the same but for distinct seeds. */
function inOneSeries(a: RunRecord, b: RunRecord): boolean {
  return a.config.seeds.every((seed) => !b.config.seeds.includes(seed)) &&
    differencesOf(a, b).every(({ setting }) => asideFromTraining.test(setting));
}

/**
 * Names series by the algorithm's title and, where several share it, by the settings in which they
 * differ. Where that makes no short and distinct name, the folder's is added instead.
 */
function namesOf(all: readonly (readonly [RunRecord, ...RunRecord[]])[]): string[] {
  const names = all.map(([first]) => {
    const same = all.map(([each]) => each)
      .filter(({ algorithm }) => algorithm.name === first.algorithm.name);
    const swept = same.flatMap(({ algorithm: { sweeps }, config: { sweep = {} } }) =>
      sweeps.filter(({ list }) => list in sweep).map(({ hyperparameter }) => hyperparameter)
    );
    const differing = differencesOf(...same).flatMap(({ setting, values }) => {
      const [, name] = setting.split("hyperparameters.");
      return name === undefined || swept.includes(name)
        ? []
        : [`${name} ${values[same.indexOf(first)] ?? "–"}`];
    });
    return differing.length > 2 ? null : [first.algorithm.title, ...differing].join(", ");
  });
  return all.map(([{ algorithm, name }], i) =>
    names[i] === null || names.indexOf(names[i]!) !== names.lastIndexOf(names[i]!)
      ? `${algorithm.title} (${name})`
      : names[i]!
  );
}

/** Groups items. All items of a group are alike. */
function partition<T>(things: readonly T[], alike: (a: T, b: T) => boolean): [T, ...T[]][] {
  const lists: [T, ...T[]][] = [];
  for (const thing of things) {
    const list = lists.find((each) => each.every((other) => alike(other, thing)));
    if (list === undefined) lists.push([thing]);
    else list.push(thing);
  }
  return lists;
}
