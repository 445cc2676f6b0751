/**
 * One section of the page: its buttons, and what the worker reports of its task.
 *
 * @module
 */
import type { FigurePanel } from "../../bandit/figure3_panels.ts";
import { curvesFigure, curvesOf, type Measurement } from "../../report/curves.ts";
import { drawFigure } from "../../report/plot.ts";
import { formatDuration } from "../../duration.ts";
import { Rate } from "../../runs/progress.ts";
import { CheckTable } from "./check_table.ts";
import { byId, made } from "../../report/client/dom.ts";
import type { Report, Request, ShownTable, TaskRequest } from "../messages.ts";

/** Shortest time between two drawings of the curves, in milliseconds. */
const redrawMilliseconds = 1000;
/** Width of a panel of curves in pixels. */
const curveWidth = 350;

/** A section of the page. */
export class View {
  readonly #id: string;
  readonly #send: (request: Request) => void;
  #paused = false;
  #rate = new Rate();
  #part = "";
  #step = 0;
  #last = 0;
  #measurements: Measurement[] = [];
  #redrawDue = false;
  #checks = new CheckTable();

  /**
   * Connects the buttons of a section.
   *
   * @param id Prefix of the section's element ids.
   * @param requestOf Returns what the section's fields ask for.
   * @param start Starts a task, whose reports go to this view.
   * @param send Sends a request about the task that runs.
   */
  constructor(
    id: string,
    requestOf: () => TaskRequest,
    start: (view: View, request: TaskRequest) => void,
    send: (request: Request) => void,
  ) {
    this.#id = id;
    this.#send = send;
    this.#of("start").addEventListener("click", () => {
      this.#clear();
      start(this, requestOf());
    });
    this.#of("pause").addEventListener("click", () => this.#pause(!this.#paused));
    this.#of("stop").addEventListener("click", () => {
      this.#say("Stopping …");
      send({ kind: "stop" });
    });
    // Curves are drawn only where they can be seen.
    for (const event of ["visibilitychange", "hashchange"]) {
      addEventListener(event, () => this.#drawCurvesSoon());
    }
  }

  /** Shows which buttons can be used. */
  enable({ start, task }: { readonly start: boolean; readonly task: boolean }): void {
    this.#of<HTMLButtonElement>("start").disabled = !start;
    this.#of<HTMLButtonElement>("pause").disabled = !task;
    this.#of<HTMLButtonElement>("stop").disabled = !task;
  }

  /** Shows what the worker reports. */
  show(report: Report): void {
    if (report.kind === "note") this.#say(report.text);
    else if (report.kind === "steps") this.#showSteps(report);
    else if (report.kind === "panels") this.#showPanels(report.panels);
    else if (report.kind === "check") this.#showCheck(report);
    else if (report.kind === "table") this.#showTable(report.table);
    else if (report.kind === "end") this.#end(report.text);
    else if (report.kind === "error") {
      this.#end("");
      this.#of("error").hidden = false;
      this.#of("error").textContent = report.message;
    }
  }

  #of<T extends HTMLElement>(name: string): T {
    return byId(`${this.#id}-${name}`);
  }

  #say(text: string): void {
    this.#of("status").textContent = text;
  }

  #clear(): void {
    [this.#part, this.#measurements, this.#checks] = ["", [], new CheckTable()];
    this.#setPaused(false);
    this.#of("error").hidden = true;
    this.#of("bar").style.width = "0";
    for (const part of ["panels", "table", "curves"]) this.#of(part).replaceChildren();
  }

  #end(text: string): void {
    this.#setPaused(false);
    this.#say(text);
    this.#drawCurves();
    document.title = text === "" ? "SRPO in your browser" : text;
  }

  #pause(paused: boolean): void {
    this.#send(paused ? { kind: "pause" } : { kind: "resume" });
    this.#setPaused(paused);
    if (paused) this.#say(`${this.#of("status").textContent} · pausing`);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#of("pause").textContent = paused ? "Continue" : "Pause";
    this.#last = 0; // The time of a pause is not that of a step.
  }

  #showSteps({ part, steps, rows }: Extract<Report, { kind: "steps" }>): void {
    if (part !== this.#part) {
      [this.#part, this.#step, this.#rate, this.#last] = [part, 0, new Rate(), 0];
    }
    const now = performance.now();
    if (this.#last > 0) this.#rate.add(rows.length, (now - this.#last) / 1000);
    this.#last = now;
    const step = this.#step = rows.at(-1)?.step ?? this.#step;
    for (const { step, metrics } of rows) {
      if (Object.keys(metrics).length === 0) continue;
      this.#measurements.push({
        stage: part,
        step,
        seed: 0,
        variant: null,
        metrics,
        episodes: null,
      });
    }
    const { perSecond } = this.#rate;
    const count = (value: number) => value.toLocaleString("en-US");
    this.#of("bar").style.width = `${100 * step / steps}%`;
    this.#say([
      `${part}: step ${count(step)} of ${count(steps)}`,
      ...(perSecond ? [`${perSecond.toPrecision(3)} steps/s`] : []),
      ...(perSecond ? [`${formatDuration((steps - step) / perSecond)} left in this part`] : []),
      ...(this.#paused ? ["paused"] : []),
    ].join(" · "));
    document.title = `${Math.floor(100 * step / steps)} % ${part}`;
    this.#drawCurvesSoon();
  }

  #showPanels(panels: readonly FigurePanel[]): void {
    this.#of("panels").replaceChildren(...panels.map(({ title, note, svg }) => {
      const figure = made("figure", "panel");
      figure.innerHTML = svg;
      if (title !== "") {
        const caption = made("figcaption", "");
        caption.append(made("strong", "", title), made("span", "", note));
        figure.append(caption);
      }
      return figure;
    }));
  }

  #showCheck({ measurement }: Extract<Report, { kind: "check" }>): void {
    const row = this.#checks.add(measurement);
    if (row !== null) this.#of("panels").append(row);
  }

  #showTable({ header, rows }: ShownTable): void {
    const line = (cells: readonly string[], kind: string) => {
      const row = made("tr", "");
      row.append(...cells.map((text) => made(kind, "", text)));
      return row;
    };
    const table = made("table", "");
    table.append(line(header, "th"), ...rows.map((row) => line(row, "td")));
    this.#of("table").replaceChildren(table);
  }

  #drawCurvesSoon(): void {
    if (this.#redrawDue || this.#measurements.length === 0) return;
    this.#redrawDue = true;
    setTimeout(() => this.#drawCurves(), redrawMilliseconds);
  }

  #drawCurves(): void {
    this.#redrawDue = false;
    if (this.#measurements.length === 0 || document.hidden) return;
    const place = this.#of("curves");
    const columns = Math.max(1, Math.min(3, Math.floor(place.clientWidth / curveWidth)));
    const figure = {
      ...curvesFigure("Training", curvesOf([this.#measurements])),
      notes: [],
      columns,
    };
    place.replaceChildren(drawFigure(figure, document));
  }
}
