/**
 * A recorded episode as shapes in a plane, for showing how a policy moves: robots from the side,
 * mazes from above.
 *
 * @module
 */
import { solidsOf } from "./solids.ts";

/** A recorded episode. Lengths are in meters, rounded to millimetres. */
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
  /** Walls seen from above: center and half the side, `[x, y, half]`; empty in the side view. */
  readonly walls: readonly (readonly [x: number, y: number, half: number])[];
  /** The goal of a maze2d task, `[x, y]`; null if there is none, or each episode has its own. */
  readonly goal: readonly [x: number, y: number] | null;
}

/** Most frames of a playback. */
const mostFrames = 250;

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
  const stride = Math.max(1, Math.ceil((qpos.length - 1) / (mostFrames - 1)));
  const { poses, walls, goal, terrain } = await solidsOf(
    id,
    // The last one shows how the episode ended.
    qpos.filter((_, step) => step % stride === 0 || step === qpos.length - 1),
  );
  const view = terrain === "maze" ? "above" : "side";
  return {
    view,
    steps: qpos.length - 1,
    stride,
    radii: poses[0]!.map(({ radius }) => radius),
    frames: poses.map((limbs) =>
      limbs.flatMap(({ ends }) =>
        ends.flatMap(([x, y, z]) => [rounded(x), rounded(view === "side" ? z : y)])
      )
    ),
    walls: walls.map(({ center: [x, y], half: [half] }) => [x, y, half] as const),
    goal,
  };
}

/** Rounds meters to millimetres. */
function rounded(meters: number): number {
  return Math.round(1000 * meters) / 1000;
}
