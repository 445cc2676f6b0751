/**
 * The script of the page: starts the worker and connects the sections with it.
 *
 * @module
 */
import { budgets } from "../../bandit/budget.ts";
import { maxBanditSeed } from "../../bandit/support.ts";
import type { ToyName } from "../../data/toy.ts";
import { byId } from "../../report/client/dom.ts";
import type { Report, Request, TaskRequest } from "../messages.ts";
import { View } from "./view.ts";

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const send = (request: Request) => worker.postMessage(request);

let running: View | null = null;
/** Whether the worker is loaded. */
let loaded = false;

function start(view: View, request: TaskRequest): void {
  setRunning(view);
  send(request);
}

function setRunning(view: View | null): void {
  running = view;
  for (const each of views) each.enable({ start: view === null, task: each === view });
}

const seedOf = (section: string) =>
  Math.min(
    maxBanditSeed,
    Math.max(0, Math.floor(Number(byId<HTMLInputElement>(`${section}-seed`).value))),
  );

const views = [
  new View(
    "bandit",
    () => ({
      kind: "bandit",
      density: byId<HTMLSelectElement>("bandit-density").value as ToyName,
      budget: budgets[byId<HTMLSelectElement>("bandit-budget").value as keyof typeof budgets],
      seed: seedOf("bandit"),
    }),
    start,
    send,
  ),
  new View(
    "maze",
    () => ({ kind: "maze", seed: seedOf("maze"), hyperparameters: {} }),
    start,
    send,
  ),
  new View("checks", () => ({ kind: "checks" }), start, send),
];
setRunning(null);

worker.onmessage = ({ data: report }: MessageEvent<Report>) => {
  loaded = true;
  if (report.kind === "gpu") byId("gpu").textContent = report.text;
  else running?.show(report);
  if (report.kind === "end" || report.kind === "error") setRunning(null);
};
worker.onerror = (
  { message = "the worker cannot be loaded; worker.js must lie beside the page" },
) => {
  const failed = running === null ? views : [running];
  for (const view of failed) view.show({ kind: "error", message });
  setRunning(null);
  if (loaded) return;
  for (const view of views) view.enable({ start: false, task: false });
};

/** Shows the section that the address names, by default the first. */
function showSection(): void {
  const names = ["bandit", "maze", "checks"];
  const named = location.hash.slice(1);
  const chosen = names.includes(named) ? named : names[0]!;
  for (const name of names) {
    byId(name).hidden = name !== chosen;
    if (name === chosen) byId(`${name}-link`).setAttribute("aria-current", "page");
    else byId(`${name}-link`).removeAttribute("aria-current");
  }
}
addEventListener("hashchange", showSection);
showSection();

if (!("gpu" in navigator)) {
  byId("gpu").textContent =
    "This browser has no WebGPU. Use Chrome, Edge, Firefox or Safari in a " +
    "new version, and an address that begins with https: or is local.";
}
