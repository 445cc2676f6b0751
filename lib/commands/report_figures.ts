/**
 * The figures of a report.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { type Curve, curvesFigure, curvesOf } from "../report/curves.ts";
import { figurePng } from "../report/figure_png.ts";
import { figureSvg } from "../report/figure_svg.ts";
import { Html, html } from "../report/html.ts";
import { seriesColor } from "../report/palette.ts";
import type { Figure, LegendEntry } from "../report/plot.ts";
import { barMarks, groupedAxes, pointMarks } from "../report/plot_values.ts";
import type { ActorScore, Group, Series } from "./report_series.ts";

/** Embeds a figure, with links that save it as SVG and as PNG. */
export function figureHtml(name: string, figure: Figure): Promise<Html> {
  const svg = figureSvg(figure);
  return embedded(name, svg, () => new Html(svg));
}

/** Embeds an SVG document from a file as {@linkcode figureHtml} does, but as an inert image. */
export function pictureHtml(name: string, svg: string, title: string): Promise<Html> {
  return embedded(name, svg, (file) => html`<img src="${file}" alt="${title}">`);
}

async function embedded(
  name: string,
  svg: string,
  shown: (address: string) => Html,
): Promise<Html> {
  const address = (type: string, bytes: Uint8Array<ArrayBuffer>) =>
    `data:${type};base64,${bytes.toBase64()}`;
  const png = address("image/png", await figurePng(svg));
  const file = address("image/svg+xml", new TextEncoder().encode(svg));
  return html`<figure>
${shown(file)}
<figcaption>Save as <a download="${name}.svg" href="${file}">SVG</a>
or <a download="${name}.png" href="${png}">PNG</a></figcaption>
</figure>`;
}

/** Returns the figures of a group's curves; empty if there are none. */
export function curveFigures(task: string, group: Group): { name: string; figure: Figure }[] {
  const evaluations = group.series.flatMap((series) => evaluationCurves(series));
  const named = group.series.length > 1;
  const losses = group.series.flatMap(({ name, runs }) =>
    curvesOf(
      runs.map(({ rows }) => rows.filter(({ episodes }) => episodes === null)),
      named ? name : undefined,
    )
  );
  return [
    { name: "evaluations", figure: curvesFigure(`Evaluations on ${task}`, evaluations) },
    { name: "training", figure: curvesFigure(`Training on ${task}`, losses) },
  ].filter(({ figure }) => figure.panels.length > 0);
}

/** Returns the curves of evaluations, with all actors in one panel per quantity. */
function evaluationCurves({ name, runs }: Series): Curve[] {
  return runs[0].actors.flatMap(({ stage, title }) => {
    const rows = runs.map(({ rows }) =>
      rows.filter((row) => row.episodes !== null && row.stage === stage)
    );
    return curvesOf(rows, seriesName(name, title)).map((curve) => ({
      ...curve,
      name: curve.name === `${stage}: score` ? "D4RL score" : "return",
    }));
  });
}

/** Returns the figure of the scores of a group's actors, with the interval of their mean. */
export function scoreFigure(
  task: string,
  quantity: string,
  scores: readonly ActorScore[],
): Figure {
  const names = scores.map(({ series, ...score }) => seriesName(series.name, actorName(score)));
  const series = [...new Set(scores.map(({ series }) => series.name))];
  return {
    title: `${quantity} on ${task}, last evaluations`,
    notes: [intervalNote(scores)],
    legend: legendOf(series),
    columns: 1,
    size: [110 + 110 * scores.length, 300],
    panels: [{
      ...groupedAxes(names, [""], { text: (name) => actorName(scores[names.indexOf(name)]!) }),
      y: { label: quantity, nice: true },
      marks: [
        Plot.ruleY([0], { stroke: "var(--rule)" }),
        ...scores.flatMap((score, i) =>
          barMarks(
            [{ x: names[i]!, ...estimateOf(score) }],
            "",
            seriesColor(series.indexOf(score.series.name), series.length),
          )
        ),
      ],
    }],
  };
}

/** A point of {@linkcode costFigure}. */
export interface ScoredCost {
  /** FLOPs of the matrix products per action. */
  readonly flops: number;
  /** The score. */
  readonly score: ActorScore;
}

/** Returns the figure of score against computation per action. */
export function costFigure(task: string, quantity: string, costs: readonly ScoredCost[]): Figure {
  const series = [...new Set(costs.map(({ score }) => score.series.name))];
  return {
    title: `${quantity} against computation on ${task}`,
    notes: [intervalNote(costs.map(({ score }) => score))],
    legend: legendOf(series),
    columns: 1,
    size: [580, 340],
    panels: [{
      x: {
        label: "FLOPs per action",
        type: "log",
        tickFormat: "~s",
        ticks: 6,
        insetLeft: 20,
        insetRight: 90,
      },
      y: { label: quantity, nice: true },
      marks: series.flatMap((name, i) =>
        pointMarks(
          costs.filter(({ score }) => score.series.name === name).map(({ flops, score }) => ({
            x: flops,
            ...estimateOf(score),
            label: actorName(score),
          })),
          seriesColor(i, series.length),
        )
      ),
    }],
  };
}

function legendOf(series: readonly string[]): LegendEntry[] {
  return series.length === 1
    ? []
    : series.map((name, i) => ({ name, color: seriesColor(i, series.length) }));
}

/** Names an actor among all series. */
function seriesName(series: string, actor: string): string {
  return series === actor ? series : `${series}: ${actor}`;
}

/** Names an actor within its series. */
export function actorName({ title, variant }: Pick<ActorScore, "title" | "variant">): string {
  return variant === null ? title : `${title} ${variant}`;
}

function estimateOf({ last }: ActorScore) {
  return {
    y: last.interquartileMean,
    interval: last.interval,
    values: last.values.length > 1 ? last.values : [],
  };
}

function intervalNote(scores: readonly ActorScore[]): string {
  const seeds = [...new Set(scores.map(({ seeds }) => seeds.join(", ")))].join(" or ");
  return scores.every(({ seeds }) => seeds.length === 1)
    ? `seed ${seeds}`
    : `interquartile mean over seeds ${seeds} with its 95 % bootstrap interval; one dot per seed`;
}
