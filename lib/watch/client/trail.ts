/**
 * The path of a robot through its maze, as dots on the floor.
 *
 * @module
 */
import { BufferAttribute, BufferGeometry, Points, PointsMaterial, type Vector3 } from "three";
import { color, onScheme } from "./colors.ts";

/** Largest number of dots. Later ones are left out. */
const most = 2000;

/** The dots of one episode. */
export class Trail {
  /** The object to add to a scene. */
  readonly points: Points;
  readonly #positions = new BufferAttribute(new Float32Array(3 * most), 3);
  #count = 0;

  /**
   * Creates an empty trail of dots with a size in meters.
   *
   * @param closed Aborted when the picture is closed.
   */
  constructor(size: number, closed: AbortSignal) {
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", this.#positions);
    geometry.setDrawRange(0, 0);
    const material = new PointsMaterial({ size, transparent: true, opacity: 0.7 });
    onScheme(() => material.color.copy(color("trail")), closed);
    this.points = new Points(geometry, material);
    this.points.frustumCulled = false;
  }

  /** Removes all dots. */
  clear(): void {
    this.#count = 0;
    this.points.geometry.setDrawRange(0, 0);
  }

  /** Adds a dot. */
  add({ x, y }: Vector3, height: number): void {
    if (this.#count === most) return;
    this.#positions.setXYZ(this.#count++, x, y, height);
    this.#positions.needsUpdate = true;
    this.points.geometry.setDrawRange(0, this.#count);
  }
}
