import { UserError } from "../errors.ts";
import { environments } from "./ids.ts";
import { type Cell, type Maze, mazes, type Point } from "./mazes.ts";
import { mjcf } from "./mujoco/mjcf.ts";
import { mazeReward, pointmazes } from "./mujoco/pointmaze.ts";
import { compile, mujoco, Simulation } from "./mujoco/simulation.ts";
import { RandomStream } from "./random.ts";

/** Rows of D4RL's maze2d data: N consecutive transitions of one trajectory. */
export interface PlannerRows {
  /** `[N, 4]`: position, velocity. */
  readonly observations: Float32Array;
  /** `[N, 2]`, each entry in [−1, 1]: exactly the actions passed to the simulator. */
  readonly actions: Float32Array;
  /** `[N]`: reward at the row's position for the maze's fixed target. */
  readonly rewards: Float32Array;
  /** `[N]`, all zero: maze2d has no terminal state. */
  readonly terminals: Uint8Array;
  /** `[N]`, 1 where the planner reached its goal or gave up; the next row has a new goal. */
  readonly timeouts: Uint8Array;
  /** `[N, 2]`: position before the step, in float64. */
  readonly qpos: Float64Array;
  /** `[N, 2]`: velocity before the step, in float64. */
  readonly qvel: Float64Array;
  /** `[N, 2]`: the planner's current goal. */
  readonly goals: Float32Array;
}

/** A waypoint or goal counts as reached within this distance, if the last move was also shorter. */
const REACHED = 0.1;

/** Force per unit of distance to the waypoint, and per unit of speed against it. */
const PROPORTIONAL_GAIN = 10;

/** Every waypoint except the goal is shifted towards the origin by up to this much per axis. */
const WAYPOINT_NOISE = 0.2;

/** A route through the maze to one goal, with the current waypoint. */
class Route {
  readonly goal: Point;
  readonly #waypoints: Point[];

  constructor(maze: Maze, position: Point, goal: Cell, random: RandomStream) {
    this.goal = maze.point(goal);
    const path = maze.shortestPath(maze.cellAt(position), goal);
    this.#waypoints = path.slice(1, -1).map((cell) => {
      const [x, y] = maze.point(cell);
      return [x - random.uniform(0, WAYPOINT_NOISE), y - random.uniform(0, WAYPOINT_NOISE)];
    });
  }

  /** The current waypoint; after the last one, the goal. */
  get waypoint(): Point {
    return this.#waypoints[0] ?? this.goal;
  }

  /** Advances to the next waypoint if the current one is reached. The goal remains the last. */
  pass(position: Point): void {
    if (isNear(position, this.waypoint)) this.#waypoints.shift();
  }
}

const isNear = (a: Point, b: Point): boolean => Math.hypot(a[0] - b[0], a[1] - b[1]) < REACHED;

/**
 * Collects data in a maze2d task as D4RL did. A controller steers the ball from waypoint to
 * waypoint along shortest paths to one random free cell after another, without resets. Rewards are
 * for the task's fixed target, not the planner's goal. The source is D4RL's
 * `pointmaze/waypoint_controller.py`. Two details differ: D4RL takes one more row before it gives
 * up a goal, and rounds the position to find the first cell of a route.
 *
 * @param id A maze2d task, for example `maze2d-umaze-v1`.
 * @param rows Number of rows.
 * @param seed The same seed gives bit-identical rows.
 * @throws {UserError} The id is not a maze2d task, or the number of rows is not a positive integer.
 */
export async function collectMaze2d(id: string, rows: number, seed: number): Promise<PlannerRows> {
  const taskName = environments.get(id)?.task ?? "";
  const task = pointmazes.get(taskName);
  const maze = mazes.get(taskName.replace(/-dense$/, ""));
  if (task === undefined || maze === undefined) {
    const known = [...environments.keys()].filter((name) => name.startsWith("maze2d-"));
    throw new UserError(`the planner needs a maze2d task (${known.join(", ")}), got "${id}"`);
  }
  if (!Number.isInteger(rows) || rows < 1) {
    throw new UserError(`the planner needs 1 or more rows, got ${rows}`);
  }
  const random = new RandomStream(seed);
  const module = await mujoco();
  const model = compile(module, mjcf(task.robot, "mjpy", task.memory));
  const simulation = new Simulation(module, model);

  const data: PlannerRows = {
    observations: new Float32Array(rows * 4),
    actions: new Float32Array(rows * 2),
    rewards: new Float32Array(rows),
    terminals: new Uint8Array(rows),
    timeouts: new Uint8Array(rows),
    qpos: new Float64Array(rows * 2),
    qvel: new Float64Array(rows * 2),
    goals: new Float32Array(rows * 2),
  };
  const reward = mazeReward(maze, taskName.endsWith("-dense"));
  const free = maze.freeCells();
  const episode = task.begin(simulation, random);
  const observation = new Float64Array(4);
  const action = new Float64Array(2);
  let previous: Point | undefined;
  let route: Route | undefined;
  let steps = 0;

  for (let row = 0; row < rows; row++) {
    episode.observe(observation);
    const [x, y, velocityX, velocityY] = [...observation] as [number, number, number, number];
    const position: Point = [x, y];
    route ??= new Route(maze, position, random.choice(free), random);
    const slow = isNear(position, previous ?? position);
    const arrived = slow && isNear(position, route.goal);
    const [targetX, targetY] = arrived ? route.goal : route.waypoint;
    action[0] = command(targetX - x, velocityX);
    action[1] = command(targetY - y, velocityY);
    if (slow) route.pass(position);
    steps++;
    const over = arrived || steps >= task.maxEpisodeSteps;

    data.observations.set(observation, row * 4);
    data.actions.set(action, row * 2);
    data.rewards[row] = reward(position);
    data.timeouts[row] = Number(over);
    data.qpos.set(simulation.qpos, row * 2);
    data.qvel.set(simulation.qvel, row * 2);
    data.goals.set(route.goal, row * 2);

    episode.step(action);
    previous = position;
    if (over) {
      route = undefined;
      steps = 0;
    }
  }
  const warnings = simulation.warnings();
  simulation.delete();
  model.delete();
  if (warnings.length > 0) {
    throw new Error(`collectMaze2d: MuJoCo warned of ${warnings.join("; ")}`);
  }
  return data;
}

/** Proportional-derivative controller for one axis, clipped to [−1, 1] and rounded to float32. */
function command(distance: number, velocity: number): number {
  const force = PROPORTIONAL_GAIN * distance - velocity;
  return Math.fround(Math.max(-1, Math.min(1, force)));
}
