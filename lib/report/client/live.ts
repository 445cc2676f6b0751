/**
 * The script of the live page. It runs in a browser, draws the curves of the rows that the server
 * sends, and plays the recorded episode. `live_page.ts` has the page.
 *
 * @module
 */
import { formatDuration } from "../../duration.ts";
import { curvesFigure, curvesOf, type Measurement } from "../curves.ts";
import type { LiveEpisode, LiveRun, LiveStatus } from "../live_message.ts";
import { drawFigure } from "../plot.ts";
import { byId, made } from "./dom.ts";
import { playEpisode } from "./live_player.ts";

/** Shortest time between two drawings of the curves, in milliseconds. */
const redrawMilliseconds = 1000;

let rows: Measurement[] = [];
let drawn = -1;
let due = false;

function draw(): void {
  due = false;
  if (document.hidden || drawn === rows.length) return;
  drawn = rows.length;
  for (
    const [id, title, own] of [
      ["evaluations", "Evaluations", rows.filter(({ episodes }) => episodes !== null)],
      ["losses", "Training", rows.filter(({ episodes }) => episodes === null)],
    ] as const
  ) {
    const figure = curvesFigure(title, curvesOf([own]));
    byId(id).replaceChildren(...(own.length === 0 ? [] : [drawFigure(figure, document)]));
  }
}

function drawSoon(): void {
  if (due) return;
  due = true;
  setTimeout(draw, drawn < 0 ? 0 : redrawMilliseconds);
}

/** Shows a bar and a line for each stage that has begun. */
function showStages(stages: readonly LiveStatus[]): void {
  const percent = ({ step, total }: LiveStatus) => (100 * step) / Math.max(1, total);
  byId("stages").replaceChildren(...stages.flatMap((status) => {
    const bar = made("div", "");
    bar.style.width = `${percent(status)}%`;
    const progress = made("div", "progress");
    progress.append(bar);
    return [progress, made("p", "", statusText(status))];
  }));
  const current = stages.filter(({ step, total }) => step < total);
  document.title = (current.length > 0 ? current : stages.slice(-1))
    .map((status) => `${Math.floor(percent(status))} % ${status.stage}`).join(", ");
}

function statusText(
  { stage, step, total, stepsPerSecond, laterSeconds, evaluation }: LiveStatus,
): string {
  const left = stepsPerSecond !== null && stepsPerSecond > 0 && step < total
    ? (total - step) / stepsPerSecond
    : null;
  return [
    `${stage}: step ${step.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}`,
    ...(stepsPerSecond === null ? [] : [`${stepsPerSecond.toPrecision(3)} steps/s`]),
    ...(left === null ? [] : [`${formatDuration(left)} left`]),
    ...(left !== null && laterSeconds ? [`all stages ${formatDuration(left + laterSeconds)}`] : []),
    ...(evaluation ? [`evaluated ${evaluation.done} of ${evaluation.planned} episodes`] : []),
  ].join(" · ");
}

const events = new EventSource("events");
const on = <T>(type: string, handle: (data: T) => void) =>
  events.addEventListener(type, (event) => handle(JSON.parse(event.data)));

/** Forgets all rows, which the server sends again. */
function restart(): void {
  rows = [];
  drawn = -1;
  drawSoon();
}

on<LiveRun>("run", ({ name, description, stages }) => {
  // Also the first message after a lost connection.
  restart();
  byId("name").textContent = name;
  byId("description").textContent = `${description} · stages ${stages.join(", ")}`;
  byId("connection").textContent = "";
});
on<null>("restart", restart);
on<Measurement[]>("rows", (more) => {
  for (const row of more) rows.push(row);
  drawSoon();
});
on<LiveStatus[]>("stages", showStages);
on<LiveEpisode>("episode", (episode) => {
  byId("episode").hidden = false;
  byId("caption").textContent = episode.caption;
  playEpisode("canvas", episode);
});
on<{ readonly text: string }>("end", ({ text }) => {
  events.close();
  byId("connection").textContent = text;
  document.title = text;
});
events.onerror = () => {
  byId("connection").textContent = "The connection to the run is lost; trying again.";
};
document.addEventListener("visibilitychange", draw);
