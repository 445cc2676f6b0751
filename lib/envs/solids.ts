/**
 * A recorded episode as solids in space, for pictures of how a policy moves.
 *
 * @module
 */
import { environments } from "./ids.ts";
import { MujocoBatch } from "./mujoco/batch.ts";
import type { Vector3 } from "./mujoco/robot.ts";
import { groundHeight, type Shape, type Simulation } from "./mujoco/simulation.ts";
import { fixedGoal, taskOf, type Terrain, terrainOf } from "./tasks.ts";

/** A sphere, or a capsule: a line segment with round ends. */
export interface Limb {
  /** The ends of the segment in meters; equal for a sphere. */
  readonly ends: readonly [Vector3, Vector3];
  readonly radius: number;
  /** Number of the limb that it belongs to, counted from 1; 0 for the robot's root. */
  readonly limb: number;
}

/** A wall: a box along the axes. */
export interface Wall {
  readonly center: Vector3;
  /** Half the sides. */
  readonly half: Vector3;
}

/** A recorded episode. */
export interface Solids {
  /** The robot at each time: at the start and after each step. */
  readonly poses: readonly (readonly Limb[])[];
  readonly walls: readonly Wall[];
  /** The goal `[x, y]`; null if there is none, or each episode draws one. */
  readonly goal: readonly [x: number, y: number] | null;
  /** Height of the ground. */
  readonly floor: number;
  /** Seconds of a step. */
  readonly stepSeconds: number;
  readonly terrain: Terrain;
}

/**
 * Computes the solids of an episode with MuJoCo.
 *
 * @param id Id of a built-in environment.
 * @param qpos Positions at the start and after each step, each `[nq]`.
 */
export async function solidsOf(id: string, qpos: readonly Float64Array[]): Promise<Solids> {
  const { profile } = environments.get(id)!;
  const batch = await MujocoBatch.create(taskOf(id), 1, profile, id, null);
  try {
    const simulation = batch.simulation(0);
    await batch.reset([0]);
    await batch.step(new Float64Array(batch.spec.actionSize));
    const stepSeconds = simulation.time;
    const { shapes } = simulation;
    const poses = qpos.map((positions) => {
      simulation.reset();
      simulation.qpos.set(positions);
      simulation.forward();
      return shapes.flatMap((shape, i) => limbOf(shape, i, simulation));
    });
    return {
      poses,
      walls: shapes.flatMap(({ type, size }, i) =>
        type === "box" ? [{ center: positionOf(simulation, i), half: size }] : []
      ),
      goal: fixedGoal(id),
      floor: groundHeight(shapes),
      stepSeconds,
      terrain: terrainOf(id),
    };
  } finally {
    await batch.close();
  }
}

function positionOf({ geoms: { positions } }: Simulation, index: number): Vector3 {
  return [positions[3 * index]!, positions[3 * index + 1]!, positions[3 * index + 2]!];
}

function limbOf({ type, size, limb }: Shape, index: number, simulation: Simulation): Limb[] {
  if (type !== "sphere" && type !== "capsule") return [];
  const { geoms: { rotations } } = simulation;
  const center = positionOf(simulation, index);
  const half = type === "capsule" ? size[1] : 0;
  // The segment lies along the local z axis, the last column of the rotation.
  const end = (sign: number) =>
    center.map((at, axis) =>
      at + sign * half * rotations[9 * index + 3 * axis + 2]!
    ) as unknown as Vector3;
  return [{ ends: [end(-1), end(1)], radius: size[0], limb }];
}
