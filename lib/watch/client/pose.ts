/**
 * Positions and orientations of all shapes at one time, and interpolation between two of them.
 *
 * @module
 */
import { Matrix4, type Object3D, Quaternion, Vector3 } from "three";
import type { Simulation } from "../../envs/mujoco/simulation.ts";

/** Where the shapes of a simulation are. */
export class Pose {
  readonly #places: { readonly position: Vector3; readonly turn: Quaternion }[] = [];

  /** Copies the present pose of a simulation. */
  static of({ geoms: { positions, rotations } }: Simulation): Pose {
    const pose = new Pose();
    const matrix = new Matrix4();
    for (let i = 0; i < positions.length / 3; i++) {
      const r = rotations.subarray(9 * i, 9 * i + 9);
      // deno-fmt-ignore
      matrix.set(
        r[0]!, r[1]!, r[2]!, 0,
        r[3]!, r[4]!, r[5]!, 0,
        r[6]!, r[7]!, r[8]!, 0,
        0, 0, 0, 1,
      );
      pose.#places.push({
        position: new Vector3().fromArray(positions, 3 * i),
        turn: new Quaternion().setFromRotationMatrix(matrix),
      });
    }
    return pose;
  }

  /** Returns the position of a shape. */
  position(shape: number): Vector3 {
    return this.#places[shape]!.position;
  }

  /**
   * Moves an object to a shape's pose, interpolated from this pose (`part` 0) to the next (`part`
   * 1).
   */
  place(object: Object3D, shape: number, next: Pose, part: number): void {
    const [from, to] = [this.#places[shape]!, next.#places[shape]!];
    object.position.lerpVectors(from.position, to.position, part);
    object.quaternion.slerpQuaternions(from.turn, to.turn, part);
  }
}
