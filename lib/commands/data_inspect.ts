/**
 * `data inspect`: what is in a file of D4RL's layout, and what may be wrong with it.
 *
 * @module
 */
import type { D4rlTask } from "../data/catalog.ts";
import { datasetHash, type OfflineDataset, readDataset } from "../data/dataset.ts";
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
import { formatTable } from "../report/table.ts";
import { parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data inspect",
  summary: "Shows what is in a data set, and warns of what usually goes wrong.",
  positionals: [{
    name: "data",
    help: "An HDF5 file of D4RL's layout, several joined with commas, or a task's name",
  }],
  flags: {
    task: text("D4RL task whose sizes, step limit and reference returns apply", {
      valueName: "TASK",
      shown: "the one that the file names",
    }),
    json: toggle("Print one JSON object instead of text"),
  },
} as const;

/** Bars of the histogram of returns, and the width of the longest. */
const bars = { count: 10, width: 40 };

/**
 * Prints shapes, episodes, returns, the D4RL score where the task is known, flags and warnings.
 *
 * @throws UserError on an unfit flag, or when the file cannot be read as D4RL's layout.
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
  console.log(parsed.flags.json ? JSON.stringify(inspection) : report(inspection));
}

/** What is read of the files besides the data set. */
interface Layout {
  /** Type and shape by field and file. */
  readonly fields: readonly {
    path: string;
    field: string;
    dtype: string;
    shape: readonly number[];
  }[];
  /** `next_observations` where there is one file, and it has them. */
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

/** What `--json` prints. */
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
    ...(problem === null ? [] : [`training refuses this: ${problem}`]),
    ...taskNotes(dataset, task),
  ];
}

/**
 * The D4RL score of the data's complete episodes: antmaze's is the share that reached the goal. Null
 * where there are none, and for maze2d, whose data are one walk from goal to goal, not episodes.
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
    `rows          ${found.rows}, of which ${found.transitions} are transitions`,
    `episodes      ${found.episodes} complete` +
    (found.unfinished_rows > 0 ? `, the last cut after ${found.unfinished_rows} rows` : ""),
    `flags         terminals in ${found.terminals} rows, timeouts in ${found.timeouts}`,
    `sha256        ${found.sha256} (of what is trained on)`,
    `return range  ${
      found.official_return_range === null
        ? "none: no episode ends"
        : `${number(found.official_return_range)}, as locomotion rewards are divided by`
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
  if (found.warnings.length === 0) lines.push("nothing suspicious found");
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

/** Enough digits to tell returns apart, no exponents. */
function number(value: number): string {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : 4);
}
