/**
 * One policy on the page: its choice, its picture and its numbers.
 *
 * @module
 */
import { fixedGoal, taskOf, type Terrain, terrainOf } from "../../envs/tasks.ts";
import { type Content, type Family, unpack } from "../content.ts";
import { Player } from "../player.ts";
import { drawCurve } from "./chart.ts";
import { Grab } from "./grab.ts";
import { Stage } from "./stage.ts";

/** One policy on the page. */
export class Pane {
  /** The policy in its environment. */
  readonly player: Player;
  /** The pane's element. */
  readonly element: HTMLElement;
  readonly #content: Content;
  readonly #weights: ArrayBuffer;
  readonly #terrain: Terrain;
  readonly #stage: Stage;
  readonly #grab: Grab;
  readonly #bars: readonly HTMLElement[];
  #family: Family;
  #member: number;
  /** Steps that are due; the fraction is the time since the last one. */
  #due = 0;

  private constructor(
    content: Content,
    weights: ArrayBuffer,
    player: Player,
    family: number,
    element: HTMLElement,
  ) {
    this.#content = content;
    this.#weights = weights;
    this.player = player;
    this.element = element;
    this.#family = content.families[family]!;
    this.#member = middle(this.#family);
    const canvas = this.#find<HTMLCanvasElement>(".scene");
    this.#terrain = terrainOf(content.environment);
    this.#stage = new Stage(canvas, player.simulation, this.#terrain);
    this.#grab = new Grab(canvas, this.#stage, player);
    this.#bars = actionBars(this.#find(".actions"), content.environment);
    this.#choices(family);
    const camera = this.#find<HTMLButtonElement>(".camera");
    camera.hidden = this.#terrain !== "maze";
    camera.addEventListener("click", () => {
      const follow = camera.getAttribute("aria-pressed") !== "true";
      camera.setAttribute("aria-pressed", String(follow));
      this.#stage.follow = follow;
    });
    this.#find(".numbers").classList.toggle("judged", player.criticSymbol !== null);
    element.classList.toggle("swept", content.families.some(({ values }) => values !== null));
  }

  /**
   * Creates a pane with its environment in an element of the page.
   *
   * @param family Index of the family of policies that it shows first.
   */
  static async create(
    content: Content,
    weights: ArrayBuffer,
    family: number,
    element: HTMLElement,
  ): Promise<Pane> {
    const { families, environment, profile } = content;
    const { policies } = families[family]!;
    const first = unpack(content, weights, policies[middle(families[family]!)]!);
    const player = await Player.create(environment, profile, first);
    try {
      return new Pane(content, weights, player, family, element);
    } catch (error) {
      await player.close();
      throw error;
    }
  }

  /** Name of the policy. */
  get label(): string {
    const { label, values } = this.#family;
    return values === null ? label : `${label}, ${values[this.#member]}`;
  }

  /** How the episode ended, and what happened in it, in words. */
  get state(): string {
    const { ended, reachedGoal, pushed, switched } = this.player.progress;
    const terminated = this.#terrain === "maze" ? "arrived" : "fell";
    return [
      ...(ended === null ? [] : [ended === "terminated" ? terminated : "time is up"]),
      ...(reachedGoal ? ["reached the goal"] : []),
      ...(pushed ? ["pushed"] : []),
      ...(switched ? ["policy switched"] : []),
    ].join(", ");
  }

  /** Starts an episode. */
  async reset(seed: number): Promise<void> {
    await this.player.reset(seed);
    this.#due = 0;
    this.#stage.restart(this.player.goal ?? fixedGoal(this.#content.environment));
    this.show();
  }

  /**
   * Takes the steps of an interval of simulated time.
   *
   * @param seconds Simulated seconds; infinity for as many as fit before the deadline.
   * @param deadline Time at which to stop, on the clock of `performance.now()`.
   */
  async play(seconds: number, deadline: number): Promise<void> {
    this.#due = Math.min(this.#due + seconds / this.#stepSeconds, seconds === Infinity ? 1e9 : 20);
    while (this.#due >= 1 && this.player.progress.ended === null) {
      await this.step();
      this.#due--;
      if (performance.now() > deadline) break;
    }
    this.#due = Math.min(this.#due, 1);
  }

  /** Takes one step. */
  async step(): Promise<void> {
    this.#grab.apply();
    await this.player.step();
    this.#stage.advance();
  }

  /** Draws the robot. While paused, it stands where the last step ended. */
  draw(playing: boolean): void {
    const moving = playing && this.player.progress.ended === null;
    this.#grab.draw();
    this.#stage.draw(moving ? Math.min(1, this.#due) : 1);
  }

  /** Shows the numbers. */
  show(): void {
    const { rewards, values, action, ...progress } = this.player.progress;
    const { maxEpisodeSteps: steps } = taskOf(this.#content.environment);
    const text = (name: string, content: string) => this.#find(name).textContent = content;
    text(".return", String(progress.return));
    text(".steps", `${rewards.length} of ${steps}`);
    text(".reward", rewards.length === 0 ? "–" : short(rewards.at(-1)!));
    drawCurve(this.#find(".reward-curve"), rewards, steps, "series-0");
    if (this.player.criticSymbol !== null) {
      text(".value-name", `Critic ${this.player.criticSymbol}`);
      text(".value", values.length === 0 ? "–" : short(values.at(-1)!));
      drawCurve(this.#find(".value-curve"), values, steps, "series-1");
    }
    this.#bars.forEach((bar, i) => {
      const at = Math.max(-1, Math.min(1, action[i]!));
      bar.style.setProperty("--at", String(at));
      bar.title = short(action[i]!);
    });
    text(".state", this.state);
  }

  /** Frees the memory and removes the pane. */
  async close(): Promise<void> {
    this.#stage.close();
    await this.player.close();
    this.element.remove();
  }

  /** Simulated seconds of a step, known after the first one. */
  get #stepSeconds(): number {
    const { rewards } = this.player.progress;
    return rewards.length === 0 ? 0.01 : this.player.simulation.time / rewards.length;
  }

  #find<T extends HTMLElement>(selector: string): T {
    return this.element.querySelector<T>(selector)!;
  }

  /** Fills the list of policies and the slider. */
  #choices(family: number): void {
    const select = this.#find<HTMLSelectElement>(".policy");
    this.#content.families.forEach(({ label }, i) => select.add(new Option(label, String(i))));
    select.value = String(family);
    select.disabled = this.#content.families.length === 1;
    const slider = this.#find<HTMLInputElement>(".slider");
    const showSlider = () => {
      const { values } = this.#family;
      this.#find(".sweep").hidden = values === null;
      slider.max = String((values?.length ?? 1) - 1);
      slider.value = String(this.#member);
      slider.setAttribute("aria-valuetext", values?.[this.#member] ?? "");
      this.#find(".variant").textContent = values?.[this.#member] ?? "";
    };
    const use = () => {
      const index = this.#family.policies[this.#member]!;
      this.player.use(unpack(this.#content, this.#weights, index));
      this.#find(".numbers").classList.toggle("judged", this.player.criticSymbol !== null);
      showSlider();
      this.show();
    };
    select.addEventListener("change", () => {
      this.#family = this.#content.families[Number(select.value)]!;
      this.#member = middle(this.#family);
      use();
    });
    slider.addEventListener("input", () => {
      this.#member = Number(slider.value);
      use();
    });
    showSlider();
  }
}

/** The policy of a sweep that is shown first. */
function middle({ policies }: Family): number {
  return Math.floor((policies.length - 1) / 2);
}

/** Four significant digits, without an exponent where it can be avoided. */
function short(value: number): string {
  const size = Math.abs(value);
  return size === 0 || size >= 1e-3 && size < 1e6
    ? value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3)
    : value.toPrecision(3);
}

/** Adds a bar for each entry of an action, named by its joint. */
function actionBars(list: HTMLElement, environment: string): HTMLElement[] {
  return taskOf(environment).robot.motors.map(({ joint }) => {
    const [item, name, bar] = ["li", "span", "i"].map((tag) => document.createElement(tag));
    name!.textContent = joint.replace(/_joint$/, "").replaceAll("_", " ");
    item!.append(name!, bar!);
    list.append(item!);
    return bar!;
  });
}
