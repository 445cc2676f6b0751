/**
 * A recorded episode as shapes in a plane, for showing how a policy moves: robots from the side,
 * mazes from above.
 *
 * @module
 */
import { antmazes } from "./mujoco/antmaze.ts";
import type { Body, Geom } from "./mujoco/robot.ts";
import { mjcf } from "./mujoco/mjcf.ts";
import { compile, mujoco, Simulation } from "./mujoco/simulation.ts";
import { pointmazes } from "./mujoco/pointmaze.ts";
import { environments } from "./ids.ts";
import { fixedGoal, taskOf } from "./tasks.ts";

/** A recorded episode. Lengths are in metres, rounded to millimetres. */
export interface Playback {
  /** `side`: x to the right, z up. `above`: x to the right, y up. */
  readonly view: "side" | "above";
  /** Steps of the episode. */
  readonly steps: number;
  /** Steps from one frame to the next. */
  readonly stride: number;
  /** Radius of each of the robot's parts, which are line segments with round ends. */
  readonly radii: readonly number[];
  /** Per frame, for each part the ends of its segment `[x0, y0, x1, y1]`. */
  readonly frames: readonly (readonly number[])[];
  /** Walls seen from above: centre and half the side, `[x, y, half]`; empty in the side view. */
  readonly walls: readonly (readonly [x: number, y: number, half: number])[];
  /** The goal of a maze2d task, `[x, y]`; null if there is none, or each episode has its own. */
  readonly goal: readonly [x: number, y: number] | null;
}

/** Most frames of a playback. */
const mostFrames = 250;

/** Collects the positions of an evaluation's first episode, as an observer of a rollout. */
export class FirstEpisode {
  /** `qpos` at the start and after each step. */
  readonly qpos: Float64Array[] = [];

  /** Forgets the positions of an earlier attempt; see `RolloutObserver`. */
  readonly begin = (episode: number): void => {
    if (episode === 0) this.qpos.length = 0;
  };

  /** Observes positions; see `RolloutObserver`. */
  readonly positions = (episodes: readonly number[], qpos: Float64Array): void => {
    const place = episodes.indexOf(0);
    if (place < 0) return;
    const size = qpos.length / episodes.length;
    this.qpos.push(qpos.slice(place * size, (place + 1) * size));
  };
}

/**
 * Computes the shapes of an episode with MuJoCo.
 *
 * @param id Id of a built-in environment.
 * @param qpos Positions at the start and after each step, each `[nq]`.
 */
export async function playbackOf(
  id: string,
  qpos: readonly Float64Array[],
): Promise<Playback> {
  const { robot, memory } = taskOf(id);
  const { task } = environments.get(id)!;
  const view = pointmazes.has(task) || antmazes.has(task) ? "above" : "side";
  // MuJoCo numbers the geoms of the world first, then those of the bodies, parents first. This
  // profile has no further geoms; masses and contacts, in which profiles differ, do not matter here.
  const geoms = [...robot.world, ...geomsOf(robot.body)];
  const parts = geoms.flatMap((geom, i) => i < robot.world.length ? [] : [{ geom, i }]);
  const module = await mujoco();
  const model = compile(module, mjcf(robot, "mj22", memory));
  const simulation = new Simulation(module, model);
  try {
    const stride = Math.max(1, Math.ceil((qpos.length - 1) / (mostFrames - 1)));
    const frames = qpos.filter((_, step) => step % stride === 0).map((positions) => {
      simulation.reset();
      simulation.qpos.set(positions);
      simulation.forward();
      return parts.flatMap(({ geom, i }) => segmentOf(geom, i, simulation, view));
    });
    return {
      view,
      steps: qpos.length - 1,
      stride,
      radii: parts.map(({ geom }) => geom.size[0]!),
      frames,
      walls: view === "side" ? [] : robot.world.filter(({ type }) => type === "box")
        .map(({ pos: [x, y] = [0, 0, 0], size }) => [x, y, size[0]!] as const),
      goal: fixedGoal(id),
    };
  } finally {
    simulation.delete();
    model.delete();
  }
}

function geomsOf({ geoms, children }: Body): Geom[] {
  return [...geoms, ...children.flatMap(geomsOf)];
}

/** Returns the ends of a geom's segment in the view; a sphere's are its centre. */
function segmentOf(
  { type, size }: Geom,
  index: number,
  { geoms: { positions, rotations } }: Simulation,
  view: Playback["view"],
): number[] {
  const half = type === "capsule" ? size[1]! : 0;
  return [-half, half].flatMap((along) => {
    const [x, y, z] = [0, 1, 2].map((axis) => {
      const offset = along * rotations[9 * index + 3 * axis + 2]!; // column of the local z axis
      return Math.round(1000 * (positions[3 * index + axis]! + offset)) / 1000;
    }) as [number, number, number];
    return view === "side" ? [x, z] : [x, y];
  });
}
