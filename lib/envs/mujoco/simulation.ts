import loadMujoco from "@mujoco/mujoco";
import { UserError } from "../../errors.ts";

/** MuJoCo's WebAssembly module. */
export type Mujoco = Awaited<ReturnType<typeof loadMujoco>>;

/** A compiled model. */
export type Model = ReturnType<Mujoco["MjModel"]["from_xml_string"]>;

let loading: Promise<Mujoco> | undefined;

/** MuJoCo's WebAssembly module, loaded once (0.2 s) for the whole process. */
export function mujoco(): Promise<Mujoco> {
  loading ??= loadMujoco();
  return loading;
}

/**
 * Compiles a model written as MJCF. Its memory is the caller's to free with `delete()`.
 *
 * @throws {Error} The MJCF is faulty, in MuJoCo's words.
 */
export function compile(module: Mujoco, mjcf: string): Model {
  return module.MjModel.from_xml_string(mjcf);
}

/**
 * MuJoCo answers a diverged state by resetting the simulation without a word, so simulations start at
 * this time: an earlier one afterwards gives the reset away, for the price of reading one number.
 */
const START_TIME = 1;

/** One simulation of a model. Its memory lies in WebAssembly's heap until `delete()`. */
export class Simulation {
  readonly #module: Mujoco;
  readonly #model: Model;
  readonly #data: InstanceType<Mujoco["MjData"]>;
  #qpos = new Float64Array();
  #qvel = new Float64Array();
  #ctrl = new Float64Array();
  #xpos = new Float64Array();

  /**
   * A new simulation in the model's initial pose, at rest.
   *
   * @throws {Error} WebAssembly's heap (2 GiB) is full.
   */
  constructor(module: Mujoco, model: Model) {
    this.#module = module;
    this.#model = model;
    this.#data = new module.MjData(model);
  }

  /**
   * Makes the views of the simulation's memory anew. When WebAssembly's heap grows – another
   * simulation's birth suffices – every view is detached: its length becomes zero and what is written
   * to it vanishes. A view costs 80 ns to make and 2 ns to use, so views are kept until that happens.
   */
  #bind(): void {
    this.#qpos = this.#data.qpos;
    this.#qvel = this.#data.qvel;
    this.#ctrl = this.#data.ctrl;
    this.#xpos = this.#data.xpos;
  }

  /** Generalized positions `[nq]`; valid until the next simulation is made. */
  get qpos(): Float64Array {
    if (this.#qpos.length === 0) this.#bind();
    return this.#qpos;
  }

  /** Generalized velocities `[nv]`; valid until the next simulation is made. */
  get qvel(): Float64Array {
    if (this.#qvel.length === 0) this.#bind();
    return this.#qvel;
  }

  /** Controls of the motors `[nu]`; valid until the next simulation is made. */
  get ctrl(): Float64Array {
    if (this.#ctrl.length === 0) this.#bind();
    return this.#ctrl;
  }

  /** World positions of the bodies `[nbody, 3]`, the world itself first; valid as the others. */
  get xpos(): Float64Array {
    if (this.#xpos.length === 0) this.#bind();
    return this.#xpos;
  }

  /** Returns to the model's initial pose, at rest. */
  reset(): void {
    this.#module.mj_resetData(this.#model, this.#data);
    this.#data.time = START_TIME;
  }

  /** Computes everything that follows from the positions and velocities, without moving on. */
  forward(): void {
    this.#module.mj_forward(this.#model, this.#data);
  }

  /** Moves on by `substeps` timesteps under the present controls. */
  step(substeps: number): void {
    for (let i = 0; i < substeps; i++) this.#module.mj_step(this.#model, this.#data);
  }

  /** MuJoCo has given the state up (a number that is not finite or beyond 1e10) and reset it. */
  get diverged(): boolean {
    return !(this.#data.time > START_TIME);
  }

  /**
   * What MuJoCo warned of since the last reset, for people: a diverged state, or working memory too
   * small for all contacts, which falsifies the physics; empty when nothing happened.
   */
  warnings(): string[] {
    // The vector belongs to the simulation: deleting it would abort. Its entries are copies.
    const counts = this.#data.warning;
    return WARNINGS.filter((_, kind) => {
      const entry = counts.get(kind);
      if (entry === undefined) return false;
      const raised = entry.number > 0;
      entry.delete();
      return raised;
    });
  }

  /** Frees the simulation's memory; using it afterwards throws. */
  delete(): void {
    this.#data.delete();
  }
}

/** MuJoCo's warnings in the order of its `mjtWarning`. */
const WARNINGS = [
  "near-singular inertia matrix",
  "contact buffer full (the model's memory is too small)",
  "constraint buffer full (the model's memory is too small)",
  "NaN, infinite or huge position",
  "NaN, infinite or huge velocity",
  "NaN, infinite or huge acceleration",
  "NaN, infinite or huge control",
];

/** The error that reports a diverged or otherwise falsified simulation of environment `index`. */
export function simulationError(index: number, warnings: readonly string[]): UserError {
  return new UserError(
    `environment ${index}: the simulation broke down (${warnings.join("; ")}); ` +
      "its episode cannot be used – reset the environment to go on",
  );
}
