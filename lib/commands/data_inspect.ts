/**
 * `data inspect`: summarizes a data set in D4RL's format and warns about common problems.
 *
 * @module
 */
import type { D4rlTask } from "../data/catalog.ts";
import { type OfflineDataset, readDataset } from "../data/dataset.ts";
import { datasetHash } from "../data/hash.ts";
import { sizeProblem, taskNotes } from "../data/fit.ts";
import { D4rlFile } from "../data/hdf5.ts";
import { boundsToScale, readingOptions, readRecordedTask } from "../data/own_task.ts";
import { resolveData } from "../data/resolve.ts";
import { returnRange } from "../data/rewards.ts";
import {
  type Distribution,
  distributionOf,
  type Episode,
  episodesOf,
  histogramOf,
} from "../data/summary.ts";
import { warningsOf } from "../data/warnings.ts";
import { countsSuccess, normalizedScore } from "../envs/scores.ts";
import { fitted } from "../terminal.ts";
import { formatTable } from "../report/table.ts";
import { parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data inspect",
  summary: "Summarizes a data set and warns about common problems.",
  positionals: [{
    name: "data",
    help: "An HDF5 file in D4RL's format, several files separated by commas, or a task name",
  }],
  flags: {
    task: text("D4RL task that provides sizes, step limit and reference returns", {
      valueName: "TASK",
      shown: "the task named in the file",
    }),
    json: toggle("Print one JSON object instead of text"),
  },
} as const;

/** Number of bars in the histogram of returns, and width of the longest one in characters. */
const bars = { count: 10, width: 40 };

/**
 * Prints shapes, episodes, returns, the D4RL score if the task is known, flags and warnings.
 *
 * @throws {UserError} If a flag is invalid, or the file is not readable in D4RL's format.
 */
export async function dataInspect(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { task, paths } = await resolveData(parsed.positionals[0]!, parsed.flags.task);
  const bounds = task === null ? boundsToScale((await readRecordedTask(paths)).actionBounds) : null;
  const dataset = await readDataset(paths, {
    ...(task !== null && readingOptions(task)),
    ...(bounds !== null && { actionBounds: bounds }),
  });
  const inspection = inspect(dataset, task, await readLayout(paths));
  console.log(parsed.flags.json ? JSON.stringify(inspection) : fitted(report(inspection)));
}

/** Parts of the files that {@linkcode readDataset} does not return. */
interface Layout {
  /** Type and shape of each field of each file. */
  readonly fields: readonly {
    path: string;
    field: string;
    dtype: string;
    shape: readonly number[];
  }[];
  /** `next_observations`, if there is a single file and it has them. */
  readonly nextObservations?: Float32Array;
}

async function readLayout(paths: readonly string[]): Promise<Layout> {
  const fields = [];
  let nextObservations: Float32Array | undefined;
  for (const path of paths) {
    const file = await D4rlFile.open(path);
    try {
      for (const field of file.fields) {
        const { dtype, shape } = file.layout(field);
        fields.push({ path, field, dtype, shape });
      }
      if (paths.length === 1 && file.has("next_observations")) {
        nextObservations = new Float32Array(file.rows * file.observationSize);
        file.read("next_observations", nextObservations);
      }
    } finally {
      file.close();
    }
  }
  return nextObservations === undefined ? { fields } : { fields, nextObservations };
}

/** The output of `--json`. */
interface Inspection {
  readonly task: string | null;
  readonly files: readonly string[];
  readonly sha256: string;
  readonly fields: Layout["fields"];
  readonly rows: number;
  readonly transitions: number;
  readonly observation_size: number;
  readonly action_size: number;
  readonly terminals: number;
  readonly timeouts: number;
  readonly episodes: number;
  readonly unfinished_rows: number;
  readonly returns: Distribution | null;
  readonly lengths: Distribution | null;
  readonly rewards: Distribution | null;
  readonly return_histogram: readonly { from: number; to: number; count: number }[];
  readonly score: number | null;
  readonly official_return_range: number | null;
  readonly warnings: readonly string[];
}

function inspect(dataset: OfflineDataset, task: D4rlTask | null, layout: Layout): Inspection {
  const all = episodesOf(dataset);
  const episodes = all.filter(({ ending }) => ending !== "cut");
  const length = ({ begin, end }: Episode) => end - begin;
  const returns = distributionOf(episodes.map((episode) => episode.return));
  const range = returnRange(dataset);
  const count = (flags: Float32Array) => flags.reduce((sum, flag) => sum + (flag === 0 ? 0 : 1), 0);
  return {
    task: task?.name ?? null,
    files: dataset.sources.map(({ path }) => path),
    sha256: datasetHash(dataset),
    fields: layout.fields,
    rows: dataset.rows,
    transitions: dataset.transitions.length,
    observation_size: dataset.observationSize,
    action_size: dataset.actionSize,
    terminals: count(dataset.terminals),
    timeouts: count(dataset.timeouts),
    episodes: episodes.length,
    unfinished_rows: all.length > episodes.length ? length(all.at(-1)!) : 0,
    returns,
    lengths: distributionOf(episodes.map(length)),
    rewards: distributionOf(dataset.rewards),
    return_histogram: histogramOf(episodes.map((episode) => episode.return), bars.count),
    score: task === null ? null : scoreOf(episodes, task),
    official_return_range: range === null ? null : range.max - range.min,
    warnings: [
      ...(task === null ? [] : taskWarnings(dataset, task)),
      ...warningsOf(dataset, layout.nextObservations),
    ],
  };
}

function taskWarnings(dataset: OfflineDataset, task: D4rlTask): string[] {
  const problem = sizeProblem(dataset, task);
  return [
    ...(problem === null ? [] : [`training rejects this: ${problem}`]),
    ...taskNotes(dataset, task),
  ];
}

/**
 * Returns the D4RL score of the data's complete episodes. In antmaze it is the percentage that
 * reached the goal. Null if there are none, and for maze2d, whose data are one continuous walk from
 * goal to goal.
 */
function scoreOf(episodes: readonly Episode[], task: D4rlTask): number | null {
  if (episodes.length === 0 || task.family === "maze2d") return null;
  const value = (episode: Episode) =>
    countsSuccess(task.name) ? Number(episode.return > 0) : episode.return;
  const mean = episodes.reduce((sum, episode) => sum + value(episode), 0) / episodes.length;
  return normalizedScore(mean, task.referenceReturn);
}

function report(found: Inspection): string {
  const several = found.files.length > 1;
  const lines = [
    ...found.files,
    "",
    formatTable(
      several ? ["file", "field", "type", "shape"] : ["field", "type", "shape"],
      found.fields.map(({ path, field, dtype, shape }) => {
        const sizes = shape.join(" × ") || "scalar";
        return several ? [path, field, dtype, sizes] : [field, dtype, sizes];
      }),
    ),
    "",
    ...(found.task === null ? [] : [`task          ${found.task}`]),
    `rows          ${found.rows}, including ${found.transitions} transitions`,
    `episodes      ${found.episodes} complete` +
    (found.unfinished_rows > 0 ? `, plus ${found.unfinished_rows} rows of an unfinished one` : ""),
    `flags         terminals set in ${found.terminals} rows, timeouts in ${found.timeouts}`,
    `sha256        ${found.sha256} (of the training data)`,
    `return range  ${
      found.official_return_range === null
        ? "none, because there is no terminal and fewer than 1,000 transitions"
        : `${number(found.official_return_range)}, the divisor of locomotion rewards`
    }`,
  ];
  if (found.score !== null) {
    lines.push(`D4RL score    ${found.score.toFixed(1)} for ${found.task}`);
  }
  const distributions = Object.entries({
    return: found.returns,
    length: found.lengths,
    reward: found.rewards,
  }).flatMap(([name, values]) => values === null ? [] : [distributionRow(name, values)]);
  lines.push(
    "",
    formatTable(["", "mean", "std", "min", "25 %", "median", "75 %", "max"], distributions),
  );
  if (found.return_histogram.length > 0) lines.push("", ...histogram(found.return_histogram));
  lines.push("", ...found.warnings.map((warning) => `warning: ${warning}`));
  if (found.warnings.length === 0) lines.push("no problems found");
  return lines.join("\n");
}

function distributionRow(name: string, values: Distribution): string[] {
  const { mean, std, min, q25, median, q75, max } = values;
  return [name, ...[mean, std, min, q25, median, q75, max].map(number)];
}

function histogram(bins: Inspection["return_histogram"]): string[] {
  const most = Math.max(...bins.map(({ count }) => count));
  return formatTable(
    ["return", "episodes", ""],
    bins.map(({ from, to, count }) => [
      `${number(from)} … ${number(to)}`,
      count,
      "█".repeat(Math.ceil(bars.width * count / most)),
    ]),
  ).split("\n");
}

/** Formats a number with enough digits to tell returns apart, without an exponent. */
function number(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 4);
}
