/**
 * A camera that projects points onto a picture.
 *
 * @module
 */
import type { Vector3 } from "../envs/mujoco/robot.ts";

/** Where a camera stands that looks at a robot outside mazes. */
export const robotView = {
  /** Beside a robot that moves in a plane. */
  plane: { height: 0.66, offset: [0.8, -3.5, 0.7] },
  /** Behind a robot on open ground. */
  ground: { height: 0.4, offset: [-1.9, -3.2, 2.1] },
} as const satisfies Readonly<
  Record<string, {
    /** Height above the ground that the camera looks at, in meters. */
    readonly height: number;
    /** From there to the camera. */
    readonly offset: Vector3;
  }>
>;

/** A projected point. */
export interface Projected {
  /** Pixels from the left. */
  readonly x: number;
  /** Pixels from the top. */
  readonly y: number;
  /** Distance from the camera along its direction, in meters; negative behind it. */
  readonly depth: number;
  /** Pixels per meter at this depth. */
  readonly scale: number;
}

/** A camera in a world whose z axis points up. */
export class Camera {
  /** Where it stands. */
  readonly eye: Vector3;
  readonly #axes: { readonly right: Vector3; readonly up: Vector3; readonly forward: Vector3 };
  readonly #size: { readonly width: number; readonly height: number };
  readonly #focal: number;

  /**
   * Creates a camera.
   *
   * @param target What it looks at.
   * @param size Size of the picture in pixels.
   * @param degrees Vertical field of view.
   */
  constructor(
    eye: Vector3,
    target: Vector3,
    size: { readonly width: number; readonly height: number },
    degrees = 36,
  ) {
    const forward = normalized(subtract(target, eye));
    const right = normalized(cross(forward, [0, 0, 1]));
    this.eye = eye;
    this.#axes = { right, up: cross(right, forward), forward };
    this.#size = size;
    this.#focal = size.height / 2 / Math.tan((degrees * Math.PI) / 360);
  }

  /** Projects a point. */
  project(point: Vector3): Projected {
    const { right, up, forward } = this.#axes;
    const from = subtract(point, this.eye);
    const depth = dot(from, forward);
    const scale = this.#focal / depth;
    return {
      x: this.#size.width / 2 + dot(from, right) * scale,
      y: this.#size.height / 2 - dot(from, up) * scale,
      depth,
      scale,
    };
  }
}

/** Returns a + b. */
export function plus([ax, ay, az]: Vector3, [bx, by, bz]: Vector3): Vector3 {
  return [ax + bx, ay + by, az + bz];
}

function subtract([ax, ay, az]: Vector3, [bx, by, bz]: Vector3): Vector3 {
  return [ax - bx, ay - by, az - bz];
}

function dot([ax, ay, az]: Vector3, [bx, by, bz]: Vector3): number {
  return ax * bx + ay * by + az * bz;
}

function cross([ax, ay, az]: Vector3, [bx, by, bz]: Vector3): Vector3 {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
}

function normalized(vector: Vector3): Vector3 {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length) as unknown as Vector3;
}
