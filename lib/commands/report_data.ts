/**
 * The data section of a report.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { type OfflineDataset, readDataset } from "../data/dataset.ts";
import { datasetHash } from "../data/hash.ts";
import { readingOptions } from "../data/own_task.ts";
import { type Distribution, distributionOf, episodesOf, histogramOf } from "../data/summary.ts";
import { UserError } from "../errors.ts";
import { type Html, html, table } from "../report/html.ts";
import { seriesColor } from "../report/palette.ts";
import type { Figure } from "../report/plot.ts";
import type { RunConfig } from "../runs/config.ts";
import { taskOfRun } from "../runs/run_task.ts";

/** Bars of the histogram of returns. */
const bins = 20;

/** A summary of a data set, and the figure of its returns. */
export interface DataSummary {
  /** Facts and distributions, or why there are none. */
  readonly text: Html;
  /** Histogram of the episodes' returns; null if the data have no complete episode. */
  readonly figure: Figure | null;
}

/**
 * Summarizes the data of a run from the recorded file. If the file is gone or has changed, says so
 * and gives what the run recorded.
 */
export async function dataSummary(config: RunConfig): Promise<DataSummary> {
  const { file, sha256, rows } = config.data;
  const recorded = [
    ["file", file],
    ["SHA-256 of the training data", sha256],
    ["rows", rows.toLocaleString("en-US")],
  ];
  const dataset = await dataOf(config);
  if (typeof dataset === "string") {
    return {
      text: html`${table(["", ""], recorded)}<p class="note">No further summary: ${dataset}.</p>`,
      figure: null,
    };
  }
  const all = episodesOf(dataset);
  const complete = all.filter(({ ending }) => ending !== "cut");
  const returns = complete.map((episode) => episode.return);
  const distributions = {
    return: distributionOf(returns),
    length: distributionOf(complete.map(({ begin, end }) => end - begin)),
    reward: distributionOf(dataset.rewards),
  };
  return {
    text: html`${
      table(["", ""], [
        ...recorded,
        ["observation entries", String(dataset.observationSize)],
        ["action entries", String(dataset.actionSize)],
        [
          "episodes",
          `${complete.length.toLocaleString("en-US")} complete` +
          (all.length > complete.length ? ", one unfinished" : ""),
        ],
      ])
    }
${
      table(
        ["", "mean", "std", "min", "25 %", "median", "75 %", "max"],
        Object.entries(distributions).flatMap(([name, values]) =>
          values === null ? [] : [[name, ...distributionCells(values)]]
        ),
      )
    }`,
    figure: returns.length === 0 ? null : histogramFigure(config.task, returns),
  };
}

/** Reads the data of a run, or says why they cannot be shown. */
async function dataOf(config: RunConfig): Promise<OfflineDataset | string> {
  try {
    const paths = config.data.file.split(",");
    const dataset = await readDataset(paths, readingOptions(taskOfRun(config)));
    return datasetHash(dataset) === config.data.sha256
      ? dataset
      : "the file has changed since the run read it";
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `the file cannot be read here (${error.message})`;
  }
}

function distributionCells({ mean, std, min, q25, median, q75, max }: Distribution): string[] {
  return [mean, std, min, q25, median, q75, max].map((value) =>
    Number.isInteger(value) ? value.toLocaleString("en-US") : value.toPrecision(4)
  );
}

function histogramFigure(task: string, returns: readonly number[]): Figure {
  return {
    title: `Returns in the data of ${task}`,
    notes: [`${returns.length.toLocaleString("en-US")} complete episodes`],
    legend: [],
    columns: 1,
    size: [580, 240],
    panels: [{
      x: { label: "return" },
      y: { label: "episodes" },
      marks: [
        Plot.rectY(histogramOf(returns, bins), {
          x1: "from",
          x2: "to",
          y: "count",
          fill: seriesColor(0, 1),
          fillOpacity: 0.6,
        }),
        Plot.ruleY([0], { stroke: "var(--rule)" }),
      ],
    }],
  };
}
