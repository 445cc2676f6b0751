/**
 * Pushing the robot with the mouse or a finger: a press takes hold of a part, and dragging pulls it
 * towards the pointer like a spring.
 *
 * @module
 */
import { Vector3 } from "three";
import type { Player } from "../player.ts";
import type { Part } from "./figure.ts";
import type { Stage } from "./stage.ts";

/** Acceleration of the whole robot per meter of pull, in 1/s². */
const stiffness = 45;
/** Largest such acceleration, in m/s². */
const strongest = 90;

/** What is held. */
interface Hold {
  readonly part: Part;
  /** Where, in the part's own coordinates. */
  readonly local: Vector3;
  /** Where the pointer is. */
  readonly pointer: Vector3;
}

/** Lets the pointer push the robot of a stage. */
export class Grab {
  readonly #stage: Stage;
  readonly #player: Player;
  #hold: Hold | null = null;

  /** Listens to the pointer on a canvas. */
  constructor(canvas: HTMLCanvasElement, stage: Stage, player: Player) {
    this.#stage = stage;
    this.#player = player;
    // Before the camera's control, which listens to the same element.
    canvas.addEventListener("pointerdown", (event) => {
      const found = event.button === 0 ? stage.pick(event.offsetX, event.offsetY) : null;
      if (found === null) return;
      event.stopImmediatePropagation();
      canvas.setPointerCapture(event.pointerId);
      const local = found.part.mesh.worldToLocal(found.point.clone());
      this.#hold = { part: found.part, local, pointer: found.point.clone() };
    }, { capture: true });
    canvas.addEventListener("pointermove", (event) => {
      if (this.#hold === null) {
        const over = event.buttons === 0 && stage.pick(event.offsetX, event.offsetY) !== null;
        canvas.classList.toggle("over-robot", over);
        return;
      }
      event.stopImmediatePropagation();
      this.#hold.pointer.copy(stage.onPlane(event.offsetX, event.offsetY, this.#point(this.#hold)));
    }, { capture: true });
    for (const type of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(type, () => this.#release(), { capture: true });
    }
  }

  /** Sets the force for the next step. */
  apply(): void {
    if (this.#hold === null) return;
    const point = this.#point(this.#hold);
    const mass = this.#player.simulation.mass;
    const force = this.#hold.pointer.clone().sub(point).multiplyScalar(stiffness * mass)
      .clampLength(0, strongest * mass);
    if (force.length() === 0) return;
    this.#player.push(this.#hold.part.shape.body, force.toArray(), point.toArray());
  }

  /** Draws the arrow. */
  draw(): void {
    if (this.#hold === null) return;
    this.#stage.arrow.show(this.#point(this.#hold), this.#hold.pointer);
    this.#stage.invalidate();
  }

  #point({ part, local }: Hold): Vector3 {
    part.mesh.updateMatrixWorld();
    return part.mesh.localToWorld(local.clone());
  }

  #release(): void {
    this.#hold = null;
    this.#stage.arrow.hide();
    this.#stage.invalidate();
    this.#player.release();
  }
}
