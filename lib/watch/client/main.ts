/**
 * The script of the page of `watch`: loads the simulator and the policies, and plays.
 *
 * @module
 */
import { takeBinaryFrom } from "../../envs/mujoco/simulation.ts";
import { countsSuccess, normalizedScore, referenceReturn } from "../../envs/scores.ts";
import { episodeSeed } from "../../envs/seeds.ts";
import { byId } from "../../report/client/dom.ts";
import type { Content } from "../content.ts";
import { fileNames } from "../files.ts";
import { Pane } from "./pane.ts";

/** Largest number of policies side by side. */
const mostPanes = 4;
/** Largest number of rows of the table of episodes. */
const mostRows = 200;
/** Time budget for the steps of a frame in milliseconds: default, and at the highest speed. */
const [frameBudget, fastBudget] = [22, 80];
/** Milliseconds before the next episode begins, by default and at the highest speed. */
const [pauseAtEnd, fastPause] = [1800, 300];

/** The page. */
class Page {
  readonly #content: Content;
  readonly #weights: ArrayBuffer;
  readonly #panes: Pane[] = [];
  readonly #finished = new WeakSet<Pane>();
  #playing = true;
  #episode = 0;
  #endedAt: number | null = null;
  #last = performance.now();
  /** Ends with the last action that {@linkcode #enqueue} was given. */
  #queue: Promise<void> = Promise.resolve();

  constructor(content: Content, weights: ArrayBuffer) {
    this.#content = content;
    this.#weights = weights;
    this.#controls();
  }

  /** Adds the first panes and starts to play. */
  async start(): Promise<void> {
    this.#showEpisode();
    const { families } = this.#content;
    const actors = new Set<string | null>();
    const first = families.flatMap(({ actor }, i) => {
      if (actors.has(actor)) return [];
      actors.add(actor);
      return [i];
    });
    for (const family of first.slice(0, 2)) await this.#add(family);
    requestAnimationFrame((now) => this.#frame(now));
  }

  /** Adds a pane, which starts the present episode, unless there are enough. */
  async #add(family: number): Promise<void> {
    if (this.#panes.length >= mostPanes) return;
    const template = byId<HTMLTemplateElement>("pane");
    const element = template.content.firstElementChild!.cloneNode(true) as HTMLElement;
    byId("panes").append(element);
    let pane: Pane;
    try {
      pane = await Pane.create(this.#content, this.#weights, family, element);
    } catch (error) {
      element.remove();
      throw error;
    }
    this.#panes.push(pane);
    await pane.reset(this.#seed);
    element.querySelector(".remove")!.addEventListener("click", () =>
      this.#enqueue(async () => {
        const place = this.#panes.indexOf(pane);
        if (place < 0 || this.#panes.length === 1) return;
        this.#panes.splice(place, 1);
        await pane.close();
        this.#updateCount();
      }));
    this.#updateCount();
  }

  get #seed(): number {
    return episodeSeed("evaluation", this.#content.seed, this.#episode);
  }

  get #speed(): number {
    const value = document.querySelector<HTMLInputElement>("input[name=speed]:checked")!.value;
    return value === "max" ? Infinity : Number(value);
  }

  /** Runs an action after those before it, so that no two of them use an environment at once. */
  #enqueue(action: () => Promise<void>): Promise<void> {
    return this.#queue = this.#queue.then(action).catch(fail);
  }

  #frame(now: number): void {
    const passed = Math.min(0.1, (now - this.#last) / 1000);
    this.#last = now;
    this.#enqueue(async () => {
      if (this.#playing) await this.#play(passed, now);
      for (const pane of this.#panes) {
        pane.draw(this.#playing && this.#speed < Infinity);
        if (this.#playing && this.#endedAt === null) pane.show();
      }
    }).then(() => requestAnimationFrame((next) => this.#frame(next)));
  }

  async #play(passed: number, now: number): Promise<void> {
    const speed = this.#speed;
    const began = performance.now();
    for (const [i, pane] of this.#panes.entries()) {
      const budget = speed === Infinity ? fastBudget : frameBudget;
      const share = ((i + 1) / this.#panes.length) * budget;
      await pane.play(speed === Infinity ? Infinity : passed * speed, began + share);
    }
    this.#record();
    if (
      this.#panes.length === 0 || this.#panes.some(({ player }) => player.progress.ended === null)
    ) {
      this.#endedAt = null;
      return;
    }
    this.#endedAt ??= now;
    if (now - this.#endedAt > (speed === Infinity ? fastPause : pauseAtEnd)) {
      await this.#begin(this.#episode + 1);
    }
  }

  #showEpisode(): void {
    byId<HTMLInputElement>("episode").value = String(this.#episode + 1);
    byId("seed").textContent = String(this.#seed);
  }

  /** Starts an episode in all panes. */
  async #begin(episode: number): Promise<void> {
    this.#episode = episode;
    this.#endedAt = null;
    this.#showEpisode();
    for (const pane of this.#panes) {
      this.#finished.delete(pane);
      await pane.reset(this.#seed);
    }
  }

  /** Adds the episodes that have ended to the table. */
  #record(): void {
    for (const pane of this.#panes) {
      const { progress } = pane.player;
      if (progress.ended === null || this.#finished.has(pane)) continue;
      this.#finished.add(pane);
      const { environment } = this.#content;
      const reference = referenceReturn(environment);
      const scored = countsSuccess(environment) ? Number(progress.return > 0) : progress.return;
      const row = byId<HTMLTableSectionElement>("rows").insertRow(0);
      for (
        const text of [
          String(this.#episode + 1),
          pane.label,
          String(progress.return),
          reference === null ? "–" : normalizedScore(scored, reference).toFixed(1),
          String(progress.rewards.length),
          pane.state,
        ]
      ) row.insertCell().textContent = text;
      pane.show();
      if (progress.pushed || progress.switched) row.classList.add("disturbed");
      byId("episodes").hidden = false;
      byId<HTMLTableSectionElement>("rows").rows[mostRows]?.remove();
    }
  }

  #controls(): void {
    const play = byId<HTMLButtonElement>("play");
    const pause = (playing: boolean) => {
      this.#playing = playing;
      play.textContent = playing ? "Pause" : "Play";
      play.setAttribute("aria-pressed", String(!playing));
    };
    const step = () => {
      pause(false);
      this.#enqueue(async () => {
        for (const pane of this.#panes) {
          await pane.step();
          pane.show();
        }
        this.#record();
      });
    };
    const begin = (episode: number) => this.#enqueue(() => this.#begin(episode));
    const actions: Record<string, () => void> = {
      play: () => pause(!this.#playing),
      step,
      reset: () => begin(this.#episode),
      next: () => begin(this.#episode + 1),
      add: () => this.#enqueue(() => this.#add(this.#panes.length % this.#content.families.length)),
    };
    for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
    const episode = byId<HTMLInputElement>("episode");
    episode.addEventListener("change", () => {
      const number = Math.min(1e6, Math.max(1, Math.round(Number(episode.value)) || 1));
      begin(number - 1);
    });
    const keys: Record<string, string> = { " ": "play", ".": "step", r: "reset", n: "next" };
    addEventListener("keydown", (event) => {
      const id = keys[event.key];
      // A space presses the button that has the focus.
      const own = event.key === " "
        ? "button, summary, a, input, select"
        : "input[type=number], select";
      const taken = event.target instanceof HTMLElement && event.target.closest(own) !== null;
      if (id === undefined || taken || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      actions[id]!();
    });
  }

  /** Updates what depends on the number of panes. */
  #updateCount(): void {
    const count = this.#panes.length;
    byId("panes").dataset["count"] = String(count);
    byId<HTMLButtonElement>("add").disabled = count >= mostPanes;
    for (const { element } of this.#panes) {
      element.querySelector<HTMLElement>(".remove")!.hidden = count === 1;
    }
  }
}

/** Shows an error in place of the loading text. */
function fail(error: unknown): void {
  const status = byId("status");
  status.hidden = false;
  status.className = "warning";
  status.textContent = error instanceof Error ? error.message : String(error);
  console.error(error);
}

async function load(name: string): Promise<Response> {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

/** Loads a file that is compressed, unless the host has decompressed it on the way. */
async function loadCompressed(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await (await load(name)).arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

try {
  takeBinaryFrom(() => loadCompressed(fileNames.simulator));
  const [content, weights] = await Promise.all([
    load(fileNames.content).then((response) => response.json() as Promise<Content>),
    load(fileNames.weights).then((response) => response.arrayBuffer()),
  ]);
  await new Page(content, weights).start();
  byId("status").hidden = true;
  document.body.classList.add("ready");
} catch (error) {
  fail(error);
}
