import type loadMujoco from "@mujoco/mujoco";
import { UserError } from "../../errors.ts";
import type { Vector3 } from "./robot.ts";

/** MuJoCo's WebAssembly module. */
export type Mujoco = Awaited<ReturnType<typeof loadMujoco>>;

/** A compiled model. */
export type Model = ReturnType<Mujoco["MjModel"]["from_xml_string"]>;

let loading: Promise<Mujoco> | undefined;
let readBinary: (() => Promise<Uint8Array<ArrayBuffer>>) | undefined;

/**
 * Sets where MuJoCo's WebAssembly comes from. Otherwise the package reads it from a file beside it,
 * in Deno's cache, which needs permission to read that file.
 */
export function takeBinaryFrom(read: () => Promise<Uint8Array<ArrayBuffer>>): void {
  readBinary = read;
}

/** Loads MuJoCo's WebAssembly module, once per process (0.2 s). */
export function mujoco(): Promise<Mujoco> {
  return loading ??= load();
}

async function load(): Promise<Mujoco> {
  const { default: instantiate } = await import("@mujoco/mujoco");
  return instantiate(readBinary === undefined ? {} : { wasmBinary: await readBinary() });
}

/**
 * Compiles an MJCF model. The caller frees its memory with `delete()`.
 *
 * @throws {Error} The MJCF is invalid; the message is MuJoCo's.
 */
export function compile(module: Mujoco, mjcf: string): Model {
  return module.MjModel.from_xml_string(mjcf);
}

/**
 * Start time of every simulation. MuJoCo silently resets a diverged simulation to time 0, so a time
 * not after this one reveals the reset at the cost of reading one number.
 */
const START_TIME = 1;

/** Kinds of shapes by MuJoCo's `mjtGeom`. */
const SHAPES: Readonly<Record<number, Shape["type"]>> = {
  0: "plane",
  2: "sphere",
  3: "capsule",
  6: "box",
};

/** A shape of the model. */
export interface Shape {
  /** Kind of shape; `other` for the cylinders that carry a capsule's mass, which are not drawn. */
  readonly type: "plane" | "sphere" | "capsule" | "box" | "other";
  /** MuJoCo's `size`, as in {@linkcode Geom}. */
  readonly size: Vector3;
  /** Index of the body that it belongs to; 0 is the world, 1 the robot's root. */
  readonly body: number;
  /**
   * Number of the limb, from 1. A limb is a child of the root body with its descendants. 0 for the
   * world and the root.
   */
  readonly limb: number;
}

/** Returns the height of the ground: of the plane, or of what the largest sphere rolls on. */
export function groundHeight(shapes: readonly Shape[]): number {
  if (shapes.some(({ type }) => type === "plane")) return 0;
  const spheres = shapes.filter(({ type }) => type === "sphere");
  return -Math.max(...spheres.map(({ size: [radius] }) => radius));
}

/** One simulation of a model. Its memory stays in the WebAssembly heap until `delete()`. */
export class Simulation {
  readonly #module: Mujoco;
  readonly #model: Model;
  readonly #data: InstanceType<Mujoco["MjData"]>;
  #qpos = new Float64Array();
  #qvel = new Float64Array();
  #ctrl = new Float64Array();
  #xpos = new Float64Array();

  /**
   * Creates a simulation in the model's initial pose, at rest.
   *
   * @throws {Error} The WebAssembly heap (2 GiB) is full.
   */
  constructor(module: Mujoco, model: Model) {
    this.#module = module;
    this.#model = model;
    this.#data = new module.MjData(model);
  }

  /**
   * Recreates the views of the simulation's memory. When the WebAssembly heap grows, for example
   * because another simulation is created, every view is detached: its length becomes zero and
   * writes to it are lost. Creating a view costs 80 ns and using it 2 ns, so views are kept until
   * then.
   */
  #bind(): void {
    this.#qpos = this.#data.qpos;
    this.#qvel = this.#data.qvel;
    this.#ctrl = this.#data.ctrl;
    this.#xpos = this.#data.xpos;
  }

  /** Generalized positions `[nq]`; valid until the next simulation is created. */
  get qpos(): Float64Array {
    if (this.#qpos.length === 0) this.#bind();
    return this.#qpos;
  }

  /** Generalized velocities `[nv]`; valid until the next simulation is created. */
  get qvel(): Float64Array {
    if (this.#qvel.length === 0) this.#bind();
    return this.#qvel;
  }

  /** Motor controls `[nu]`; valid until the next simulation is created. */
  get ctrl(): Float64Array {
    if (this.#ctrl.length === 0) this.#bind();
    return this.#ctrl;
  }

  /** World positions of the bodies `[nbody, 3]`, starting with the world; valid like the others. */
  get xpos(): Float64Array {
    if (this.#xpos.length === 0) this.#bind();
    return this.#xpos;
  }

  /**
   * World positions `[ngeom, 3]` and orientations `[ngeom, 9]` (rotation matrices) of the geoms, as
   * computed last. The views are valid until the next simulation is created.
   */
  get geoms(): { readonly positions: Float64Array; readonly rotations: Float64Array } {
    return { positions: this.#data.geom_xpos, rotations: this.#data.geom_xmat };
  }

  /** The model's shapes, in the order of {@linkcode geoms}. */
  get shapes(): Shape[] {
    const { ngeom, geom_type: types, geom_size: sizes, geom_bodyid: bodies } = this.#model;
    const parents: Int32Array = this.#model.body_parentid;
    const limbs = [...parents.keys()].filter((body) => body > 1 && parents[body] === 1);
    const limbOf = (body: number): number =>
      body <= 1 ? 0 : parents[body] === 1 ? 1 + limbs.indexOf(body) : limbOf(parents[body]!);
    return Array.from({ length: ngeom }, (_, i) => ({
      type: SHAPES[types[i] as number] ?? "other",
      size: [...sizes.subarray(3 * i, 3 * i + 3)] as [number, number, number],
      body: bodies[i] as number,
      limb: limbOf(bodies[i]),
    }));
  }

  /** Seconds since the reset. */
  get time(): number {
    return this.#data.time - START_TIME;
  }

  /** Mass of all bodies in kg. */
  get mass(): number {
    return this.#model.body_mass.reduce((sum: number, mass: number) => sum + mass, 0);
  }

  /**
   * Applies a force to a body in all following timesteps, until it is set again or the simulation
   * is reset.
   *
   * @param body Index of the body, from 1; 0 is the world.
   * @param force In N, in world coordinates.
   * @param point Where it acts, in world coordinates.
   */
  push(body: number, force: Vector3, point: Vector3): void {
    const { xfrc_applied: applied, xipos: centers } = this.#data;
    const [x, y, z] = point.map((at, axis) => at - centers[3 * body + axis]) as [
      number,
      number,
      number,
    ];
    const [fx, fy, fz] = force;
    applied.set([fx, fy, fz, y * fz - z * fy, z * fx - x * fz, x * fy - y * fx], 6 * body);
  }

  /** Resets to the model's initial pose, at rest. */
  reset(): void {
    this.#module.mj_resetData(this.#model, this.#data);
    this.#data.time = START_TIME;
  }

  /** Computes all quantities that depend on positions and velocities, without advancing time. */
  forward(): void {
    this.#module.mj_forward(this.#model, this.#data);
  }

  /** Advances by `substeps` timesteps under the current controls. */
  step(substeps: number): void {
    for (let i = 0; i < substeps; i++) this.#module.mj_step(this.#model, this.#data);
  }

  /** Whether MuJoCo has reset a diverged state (an entry that is not finite or exceeds 1e10). */
  get diverged(): boolean {
    return !(this.#data.time > START_TIME);
  }

  /**
   * Returns MuJoCo's warnings since the last reset, as readable text: a diverged state, or working
   * memory too small for all contacts, which makes the physics wrong. Empty if there are none.
   */
  warnings(): string[] {
    // The simulation owns the vector, so deleting it would abort. The entries are copies.
    const counts = this.#data.warning;
    return WARNINGS.filter((_, kind) => {
      const entry = counts.get(kind);
      if (entry === undefined) return false;
      const raised = entry.number > 0;
      entry.delete();
      return raised;
    });
  }

  /** Frees the simulation's memory. Using it afterwards throws. */
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

/** Returns the error for a diverged or otherwise invalid simulation of environment `index`. */
export function simulationError(index: number, warnings: readonly string[]): UserError {
  return new UserError(
    `environment ${index}: the simulation broke down (${warnings.join("; ")}); ` +
      "discard its episode and reset the environment",
  );
}
