import { exp } from "../elementary.ts";
import { goalRadius, type Maze, mazes, type Point } from "../mazes.ts";
import type { Geom, Robot } from "./robot.ts";
import type { Task } from "./task.ts";

/** Speed limit per axis, applied before each step. */
const SPEED_LIMIT = 5;

/** World x and y of the body at `qpos` = 0. */
const BODY_OFFSET = 1.2;

const clip = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));

/** A 4.2 kg ball, driven by two motors, and the maze walls. */
function ballBetweenWalls(maze: Maze): Robot {
  const half = maze.cellSize / 2;
  const walls = maze.cells().filter((cell) => maze.isWall(cell)).map((cell): Geom => {
    const [x, y] = maze.center(cell);
    return {
      name: `wall_${cell.row}_${cell.column}`,
      type: "box",
      size: [half, half, 0.2],
      pos: [x + BODY_OFFSET, y + BODY_OFFSET, 0],
    };
  });
  return {
    name: maze.name,
    timestep: 0.01,
    integrator: "Euler",
    solverIterations: 20,
    gravity: [0, 0, 0],
    density: 1000,
    contact: {
      friction: [0.5, 0.1, 0.1],
      dimensions: 1,
      impedance: [0.9, 0.95, 0.001],
      margin: 0.002,
    },
    selfCollision: false,
    limitImpedance: [0.9, 0.95, 0.001],
    world: walls,
    body: {
      name: "ball",
      pos: [BODY_OFFSET, BODY_OFFSET, 0],
      joints: [
        { name: "ball_x", type: "slide", axis: [1, 0, 0], damping: 1 },
        { name: "ball_y", type: "slide", axis: [0, 1, 0], damping: 1 },
      ],
      geoms: [{ name: "ball", type: "sphere", size: [0.1] }],
      children: [],
    },
    motors: [
      { joint: "ball_x", gear: 100, limit: 1 },
      { joint: "ball_y", gear: 100, limit: 1 },
    ],
  };
}

/**
 * Reward at a point: 1 within 0.5 of the target and 0 elsewhere (sparse), or exp(−distance)
 * (dense).
 */
export type MazeReward = (position: Point) => number;

/** Returns the dense or sparse reward of D4RL's maze2d. */
export function mazeReward(maze: Maze, dense: boolean): MazeReward {
  const [targetX, targetY] = maze.point(maze.goal);
  const distance = ([x, y]: Point) => Math.hypot(x - targetX, y - targetY);
  return dense
    ? (position) => exp(-distance(position))
    : (position) => distance(position) <= goalRadius ? 1 : 0;
}

/**
 * D4RL's maze2d. The target is fixed and only the step limit ends an episode. The observation is
 * `qpos` then `qvel`.
 */
function maze2d(maze: Maze, dense: boolean, maxEpisodeSteps: number): Task {
  const reward = mazeReward(maze, dense);
  const free = maze.freeCells();
  return {
    robot: ballBetweenWalls(maze),
    memory: "1M",
    observationSize: 4,
    actionSize: 2,
    maxEpisodeSteps,
    stateOf: (observation) => ({ qpos: observation.slice(0, 2), qvel: observation.slice(2) }),
    begin(simulation, random) {
      simulation.reset();
      const { qpos, qvel } = simulation;
      const start = maze.point(random.choice(free));
      start.forEach((at, i) => qpos[i] = at + random.uniform(-0.1, 0.1));
      qvel.forEach((_, i) => qvel[i] = 0.1 * random.normal());
      simulation.forward();
      return {
        step(action) {
          const { qvel, ctrl } = simulation;
          qvel.forEach((speed, i) => qvel[i] = clip(speed, SPEED_LIMIT));
          ctrl.set(action);
          simulation.step(1);
          const { qpos } = simulation;
          return { reward: reward([qpos[0]!, qpos[1]!]), terminated: false };
        },
        observe(into) {
          into.set(simulation.qpos);
          into.set(simulation.qvel, 2);
        },
      };
    },
  };
}

const STEPS: Record<string, number> = {
  "maze2d-open": 150,
  "maze2d-umaze": 300,
  "maze2d-medium": 600,
  "maze2d-large": 800,
};

/** D4RL's maze2d tasks by maze name, with the suffix `-dense` for the dense reward. */
export const pointmazes: ReadonlyMap<string, Task> = new Map(
  Object.entries(STEPS).flatMap(([name, steps]) => {
    const maze = mazes.get(name)!;
    return [[name, maze2d(maze, false, steps)], [`${name}-dense`, maze2d(maze, true, steps)]];
  }),
);
