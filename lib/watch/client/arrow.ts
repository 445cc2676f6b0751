/**
 * The arrow that shows a push.
 *
 * @module
 */
import { ConeGeometry, CylinderGeometry, Group, Mesh, MeshBasicMaterial, Vector3 } from "three";
import { color, onScheme } from "./colors.ts";

const up = new Vector3(0, 1, 0);

/** An arrow between two points. */
export class Arrow {
  /** The object to add to a scene. */
  readonly group = new Group();
  readonly #shaft: Mesh;
  readonly #head: Mesh;

  /**
   * Creates a hidden arrow.
   *
   * @param closed Aborted when the picture is closed.
   */
  constructor(thickness: number, closed: AbortSignal) {
    const material = new MeshBasicMaterial({ depthTest: false, transparent: true, opacity: 0.9 });
    onScheme(() => material.color.copy(color("push")), closed);
    this.#shaft = new Mesh(new CylinderGeometry(thickness, thickness, 1, 12), material);
    this.#head = new Mesh(new ConeGeometry(3 * thickness, 7 * thickness, 20), material);
    this.group.add(this.#shaft, this.#head);
    this.group.renderOrder = 10;
    this.group.visible = false;
  }

  /** Shows the arrow between two points. */
  show(from: Vector3, to: Vector3): void {
    const along = to.clone().sub(from);
    const length = Math.max(along.length(), 1e-6);
    this.group.visible = true;
    this.group.position.copy(from);
    this.group.quaternion.setFromUnitVectors(up, along.divideScalar(length));
    this.#shaft.scale.y = length;
    this.#shaft.position.y = length / 2;
    this.#head.position.y = length;
  }

  /** Hides the arrow. */
  hide(): void {
    this.group.visible = false;
  }
}
