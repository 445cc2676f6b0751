/**
 * The robot, its walls and its goal as meshes.
 *
 * @module
 */
import {
  BoxGeometry,
  type BufferGeometry,
  CapsuleGeometry,
  CircleGeometry,
  DoubleSide,
  Group,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  RingGeometry,
  SphereGeometry,
} from "three";
import type { Shape } from "../../envs/mujoco/simulation.ts";
import { color, onScheme } from "./colors.ts";
import type { Pose } from "./pose.ts";

/** Returns the geometry of a shape; null for the ground, and for shapes that are not drawn. */
function geometryOf({ type, size: [x, y, z] }: Shape): BufferGeometry | null {
  switch (type) {
    case "sphere":
      return new SphereGeometry(x, 40, 28);
    case "capsule":
      // three.js's capsules lie along y, MuJoCo's along z.
      return new CapsuleGeometry(x, 2 * y, 12, 32).rotateX(Math.PI / 2);
    case "box":
      return new BoxGeometry(2 * x, 2 * y, 2 * z);
    default:
      return null;
  }
}

/** Materials by variable of the style sheet. */
class Materials {
  readonly #byName = new Map<string, MeshStandardMaterial>();
  readonly #closed: AbortSignal;

  constructor(closed: AbortSignal) {
    this.#closed = closed;
  }

  /** Returns the material of a color variable. */
  of(name: string): MeshStandardMaterial {
    let material = this.#byName.get(name);
    if (material === undefined) {
      material = new MeshStandardMaterial({ roughness: name === "wall" ? 0.95 : 0.45 });
      this.#byName.set(name, material);
      const made = material;
      onScheme(() => made.color.copy(color(name)), this.#closed);
    }
    return material;
  }
}

/** A mesh of the simulation's shape with this index. */
export interface Part {
  readonly mesh: Mesh;
  readonly index: number;
  readonly shape: Shape;
}

/** The sides of a box in the order of three.js's groups: +x, −x, +y, −y. */
const sides = [[1, 0], [-1, 0], [0, 1], [0, -1]] as const;

/** Hides the sides of walls that touch another wall; they would show as lines between the walls. */
function hideInnerSides(parts: readonly Part[], pose: Pose): void {
  const key = (x: number, y: number) => `${x.toFixed(2)} ${y.toFixed(2)}`;
  const walls = parts.filter(({ shape }) => shape.body === 0);
  const places = new Set(walls.map(({ index }) => {
    const { x, y } = pose.position(index);
    return key(x, y);
  }));
  const hidden = new MeshBasicMaterial({ visible: false });
  for (const { mesh, index, shape: { size: [half] } } of walls) {
    const { x, y } = pose.position(index);
    const seen = mesh.material as MeshStandardMaterial;
    const outer = sides.map(([dx, dy]) =>
      places.has(key(x + 2 * half * dx, y + 2 * half * dy)) ? hidden : seen
    );
    mesh.material = [...outer, seen, seen];
  }
}

/**
 * Returns a mesh for every shape that is drawn. The colors of limbs alternate.
 *
 * @param pose The pose in which the walls are placed.
 * @param closed Aborted when the picture is closed.
 */
export function partsOf(shapes: readonly Shape[], pose: Pose, closed: AbortSignal): Part[] {
  const materials = new Materials(closed);
  const parts = shapes.flatMap((shape, index): Part[] => {
    const geometry = geometryOf(shape);
    if (geometry === null) return [];
    const name = shape.body === 0
      ? "wall"
      : shape.limb === 0
      ? "torso"
      : `limb-${(shape.limb - 1) % 2}`;
    const mesh = new Mesh(geometry, materials.of(name));
    mesh.castShadow = true;
    // On neighboring walls, shadows would show as lines between them.
    mesh.receiveShadow = shape.body > 0;
    return [{ mesh, index, shape }];
  });
  hideInnerSides(parts, pose);
  return parts;
}

/**
 * Returns a disc that marks a goal's radius on the floor.
 *
 * @param closed Aborted when the picture is closed.
 */
export function goalMark(radius: number, closed: AbortSignal): Group {
  const ring = new MeshBasicMaterial({ side: DoubleSide });
  const disc = new MeshBasicMaterial({ transparent: true, opacity: 0.28 });
  onScheme(() => [ring, disc].forEach((material) => material.color.copy(color("goal"))), closed);
  const group = new Group();
  group.add(new Mesh(new RingGeometry(0.88 * radius, radius, 64), ring));
  group.add(new Mesh(new CircleGeometry(radius, 64), disc));
  return group;
}
