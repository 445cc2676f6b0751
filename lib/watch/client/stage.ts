/**
 * The three-dimensional picture of a simulation, with light and camera.
 *
 * @module
 */
import {
  DirectionalLight,
  Fog,
  HemisphereLight,
  type Mesh,
  Object3D,
  PerspectiveCamera,
  Raycaster,
  Scene,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { goalRadius } from "../../envs/mazes.ts";
import { groundHeight, type Simulation } from "../../envs/mujoco/simulation.ts";
import type { Terrain } from "../../envs/tasks.ts";
import { robotView } from "../../report/camera.ts";
import { Arrow } from "./arrow.ts";
import { color, onScheme } from "./colors.ts";
import { goalMark, type Part, partsOf } from "./figure.ts";
import { centerGround, groundAt } from "./ground.ts";
import { Pose } from "./pose.ts";
import { Trail } from "./trail.ts";

// MuJoCo's axes: z is up.
Object3D.DEFAULT_UP.set(0, 0, 1);

/** A picture of one simulation on a canvas. */
export class Stage {
  /** The arrow of a push. */
  readonly arrow: Arrow;
  /** The camera's control by mouse and touch. */
  readonly controls: OrbitControls;
  readonly camera = new PerspectiveCamera(36, 1, 0.05, 400);
  readonly #closed = new AbortController();
  readonly #simulation: Simulation;
  readonly #canvas: HTMLCanvasElement;
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #parts: readonly Part[];
  readonly #ground: Mesh;
  readonly #floor: number;
  readonly #sun = new DirectionalLight(0xffffff, 2.6);
  readonly #trail: Trail | null;
  readonly #goal = goalMark(goalRadius, this.#closed.signal);
  readonly #terrain: Terrain;
  #before: Pose;
  #now: Pose;
  #follow: boolean;
  #aspect = 0;
  /** Whether the picture differs from what was drawn last. */
  #changed = true;
  #part = 1;

  /**
   * Creates the picture.
   *
   * @throws {Error} The browser has no WebGL.
   */
  constructor(canvas: HTMLCanvasElement, simulation: Simulation, terrain: Terrain) {
    this.#canvas = canvas;
    this.#simulation = simulation;
    this.#terrain = terrain;
    this.#renderer = new WebGLRenderer({ canvas, antialias: true });
    this.#renderer.shadowMap.enabled = true;
    this.#before = this.#now = Pose.of(simulation);
    const closed = this.#closed.signal;
    this.#parts = partsOf(simulation.shapes, this.#now, closed);
    const sizes = this.#robot.map(({ shape }) => shape.size[0]);
    this.#floor = groundHeight(simulation.shapes);
    this.#ground = groundAt(this.#floor, closed);
    this.#trail = terrain === "maze" ? new Trail(Math.max(...sizes), closed) : null;
    this.arrow = new Arrow(Math.max(...sizes) / 6, closed);
    this.#follow = terrain !== "maze";
    this.#goal.visible = false;
    const sky = new HemisphereLight(0xffffff, 0xffffff, 1.5);
    this.#scene.add(this.#ground, this.#goal, this.arrow.group, sky, this.#sun, this.#sun.target);
    if (this.#trail !== null) this.#scene.add(this.#trail.points);
    this.#scene.add(...this.#parts.map(({ mesh }) => mesh));
    this.#scene.fog = new Fog(0, 1, 1);
    onScheme(() => {
      this.#scene.background = color("sky");
      this.#scene.fog!.color.copy(color("sky"));
      sky.groundColor.copy(color("tile-0"));
      this.#changed = true;
    }, closed);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = true;
    this.controls.addEventListener("change", () => this.#changed = true);
    this.controls.maxPolarAngle = 0.495 * Math.PI;
    this.controls.minDistance = 0.5;
    this.controls.maxDistance = 150;
    this.#shadows();
    this.#resize();
    this.aim();
  }

  /** Clears the path and places the robot, after a reset. */
  restart(goal: readonly [x: number, y: number] | null): void {
    this.#before = this.#now = Pose.of(this.#simulation);
    this.#trail?.clear();
    this.#goal.visible = goal !== null;
    if (goal !== null) this.#goal.position.set(goal[0], goal[1], this.#floor + 0.01);
    if (this.#follow) this.aim();
    this.#changed = true;
  }

  /** Takes the new positions, after a step. */
  advance(): void {
    this.#before = this.#now;
    this.#now = Pose.of(this.#simulation);
    this.#changed = true;
    this.#trail?.add(this.#now.position(this.#torso.index), this.#floor + 0.02);
  }

  /** Whether the camera follows the robot. In a maze it can show the whole maze instead. */
  set follow(follow: boolean) {
    this.#follow = follow;
    this.aim();
  }

  /** Puts the camera where it begins. */
  aim(): void {
    const at = this.#now.position(this.#torso.index);
    const { camera, controls: { target } } = this;
    if (this.#terrain === "maze" && !this.#follow) {
      const { center, radius } = this.#extent();
      target.copy(center);
      const half = Math.tan((camera.fov * Math.PI) / 360) * Math.min(1, camera.aspect);
      const distance = (0.79 * radius) / half;
      camera.position.copy(center).add(new Vector3(0, -0.36, 0.93).multiplyScalar(distance));
    } else {
      // In a maze, small robots are shown from closer.
      const size = Math.max(0.35, at.z - this.#floor);
      const { height, offset } = this.#terrain === "maze"
        ? { height: 0, offset: [0, -6.6 * size, 8.25 * size] as const }
        : robotView[this.#terrain];
      target.set(at.x, at.y, this.#floor + height);
      // A narrow picture needs more distance to show as much to the sides.
      const distance = Math.max(1, 1.25 / camera.aspect);
      camera.position.copy(target).addScaledVector(new Vector3(...offset), distance);
    }
    this.controls.update();
  }

  /** Makes the next call of {@linkcode draw} draw the picture again. */
  invalidate(): void {
    this.#changed = true;
  }

  /**
   * Draws the picture, if it has changed.
   *
   * @param part Interpolation factor: 0 is the state before the last step, 1 the state after it.
   */
  draw(part: number): void {
    this.#resize();
    for (const { mesh, index } of this.#parts) this.#before.place(mesh, index, this.#now, part);
    const { position } = this.#torso.mesh;
    const { target } = this.controls;
    if (this.#follow) {
      const [dx, dy] = [position.x - target.x, position.y - target.y];
      for (const point of [target, this.camera.position]) {
        point.set(point.x + dx, point.y + dy, point.z);
      }
    }
    this.controls.update();
    if (!this.#changed && part === this.#part) return;
    [this.#changed, this.#part] = [false, part];
    centerGround(this.#ground, target);
    this.#sun.target.position.copy(target);
    this.#sun.position.copy(target).add(new Vector3(-2.5, -4, 9));
    const fog = this.#scene.fog as Fog;
    const distance = this.camera.position.distanceTo(target);
    [fog.near, fog.far] = [1.2 * distance + 4, Math.max(2.2 * distance, 40)];
    this.#renderer.render(this.#scene, this.camera);
  }

  /** Returns the part of the robot at a place of the canvas, or near it; null if there is none. */
  pick(x: number, y: number): { readonly part: Part; readonly point: Vector3 } | null {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const robot = this.#robot;
    const hit = this.#rayAt(x, y).intersectObjects(robot.map(({ mesh }) => mesh))[0];
    if (hit !== undefined) {
      return { part: robot.find(({ mesh }) => mesh === hit.object)!, point: hit.point };
    }
    const near = robot.map((part) => {
      const { x: across, y: up } = part.mesh.position.clone().project(this.camera);
      const distance = Math.hypot((across + 1) / 2 * width - x, (1 - up) / 2 * height - y);
      return { part, point: part.mesh.position.clone(), distance };
    }).sort((a, b) => a.distance - b.distance)[0]!;
    return near.distance < nearPixels ? near : null;
  }

  /**
   * Returns where the mouse points on a plane through a point: a horizontal one in mazes, otherwise
   * the one that faces the camera.
   */
  onPlane(x: number, y: number, through: Vector3): Vector3 {
    const normal = this.#terrain === "maze"
      ? new Vector3(0, 0, 1)
      : this.camera.getWorldDirection(new Vector3());
    const { origin, direction } = this.#rayAt(x, y).ray;
    const distance = through.clone().sub(origin).dot(normal) / direction.dot(normal);
    return origin.clone().addScaledVector(direction, Math.max(0, distance));
  }

  /** Frees the graphics memory. Browsers allow few contexts, so it does not wait for collection. */
  close(): void {
    this.#closed.abort();
    this.controls.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
  }

  /** Returns the ray from the camera through a place of the canvas. */
  #rayAt(x: number, y: number): Raycaster {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ray = new Raycaster();
    ray.setFromCamera(new Vector2((2 * x) / width - 1, 1 - (2 * y) / height), this.camera);
    return ray;
  }

  get #robot(): readonly Part[] {
    return this.#parts.filter(({ shape }) => shape.body > 0);
  }

  get #torso(): Part {
    return this.#robot[0]!;
  }

  /** Center and half the diagonal of the walls. */
  #extent(): { readonly center: Vector3; readonly radius: number } {
    const walls = this.#parts.filter(({ shape }) => shape.body === 0);
    const ends = walls.flatMap(({ index, shape: { size: [half] } }) => {
      const { x, y } = this.#now.position(index);
      return [[x - half, y - half], [x + half, y + half]] as const;
    });
    const [xs, ys] = [ends.map(([x]) => x), ends.map(([, y]) => y)];
    const [left, right] = [Math.min(...xs), Math.max(...xs)];
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    return {
      center: new Vector3((left + right) / 2, (low + high) / 2, this.#floor),
      radius: Math.hypot(right - left, high - low) / 2,
    };
  }

  #shadows(): void {
    const reach = this.#terrain === "maze" ? this.#extent().radius + 1 : 7;
    this.#sun.castShadow = true;
    this.#sun.shadow.mapSize.setScalar(this.#terrain === "maze" ? 2048 : 1024);
    this.#sun.shadow.radius = 4;
    this.#sun.shadow.normalBias = 0.02;
    const { camera } = this.#sun.shadow;
    [camera.left, camera.right] = [-reach, reach];
    [camera.bottom, camera.top] = [-reach, reach];
    [camera.near, camera.far] = [-reach, 40 + reach];
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (width === 0 || height === 0) return;
    const ratio = Math.min(2, devicePixelRatio);
    const size = this.#renderer.getSize(new Vector2());
    if (size.x !== width || size.y !== height || this.#renderer.getPixelRatio() !== ratio) {
      this.#renderer.setPixelRatio(ratio);
      this.#renderer.setSize(width, height, false);
      this.#changed = true;
    }
    if (this.#aspect === width / height) return;
    this.#aspect = this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.aim();
  }
}

/** A press this close to a part of the robot takes hold of it. */
const nearPixels = 26;
