import { type Cell, goalRadius, type Maze, mazes, type Point } from "../mazes.ts";
import type { RandomStream } from "../random.ts";
import type { Geom, Robot } from "./robot.ts";
import { ant } from "./robots/ant.ts";
import type { Task } from "./task.ts";

/** Motor control for an action of 1: D4RL's ant has motors with range ±30 and gear 1. */
const ACTION_SCALE = 30;

/** MuJoCo timesteps per environment step. */
const FRAME_SKIP = 5;

/** Half the height of a wall, in meters. */
const WALL_HALF_HEIGHT = 1;

/** D4RL's ant and the maze walls. It has a longer timestep and softer contacts than gym's ant. */
function antBetweenWalls(maze: Maze): Robot {
  const half = maze.cellSize / 2;
  const walls = maze.cells().filter((cell) => maze.isWall(cell)).map((cell): Geom => {
    const [x, y] = maze.center(cell);
    return {
      name: `wall_${cell.row}_${cell.column}`,
      type: "box",
      size: [half, half, WALL_HALF_HEIGHT],
      pos: [x, y, WALL_HALF_HEIGHT],
    };
  });
  return {
    ...ant,
    name: maze.name,
    timestep: 0.02,
    contact: { ...ant.contact, impedance: [0.8, 0.8, 0.01] },
    world: [...ant.world, ...walls],
    motors: ant.motors.map(({ joint }) => ({ joint, gear: 1, limit: ACTION_SCALE })),
  };
}

/** Where episodes start and where their goals are. */
export interface Spread {
  /** Cells of the goals. */
  readonly goals: readonly Cell[];
  /** Cells of the starts; null for the start cell without noise. */
  readonly starts: readonly Cell[] | null;
}

/** Returns where the episodes of the evaluation start, and where their goals are. */
function evaluated({ goal }: Maze): Spread {
  return { goals: [goal], starts: null };
}

/**
 * Returns where the episodes of D4RL's data start, and where their goals are. D4RL's mazes for data
 * have other goal cells than those for evaluation (`maze_env.py`). No episode starts in one.
 *
 * @param everywhere Whether goals are in all free cells, as in the `diverse` data.
 */
export function collected(maze: Maze, everywhere: boolean): Spread {
  const free = maze.freeCells();
  const isGoal = (cell: Cell) =>
    maze.dataGoals.some(({ row, column }) => row === cell.row && column === cell.column);
  return {
    goals: everywhere ? free : maze.dataGoals,
    starts: free.filter((cell) => !isGoal(cell)),
  };
}

/** Draws the start of an episode: a cell plus up to a quarter of a cell (`maze_env.py`). */
function drawStart(maze: Maze, cells: readonly Cell[], random: RandomStream): Point {
  const [x, y] = maze.point(random.choice(cells));
  const noise = maze.cellSize / 4;
  return [Math.max(0, x + random.uniform(0, noise)), Math.max(0, y + random.uniform(0, noise))];
}

/**
 * D4RL's antmaze `-v2`. Each reset draws a goal. An episode ends with reward 1 within 0.5 m of it;
 * all other rewards are 0. A fallen ant does not end the episode. The observation is `qpos` then
 * `qvel` and does not contain the goal.
 */
function antmaze(maze: Maze, maxEpisodeSteps: number, spread: Spread): Task {
  return {
    robot: antBetweenWalls(maze),
    memory: "2M",
    observationSize: 29,
    actionSize: 8,
    maxEpisodeSteps,
    stateOf: (observation) => ({ qpos: observation.slice(0, 15), qvel: observation.slice(15) }),
    begin(simulation, random) {
      simulation.reset();
      const { qpos, qvel } = simulation;
      qpos.forEach((initial, i) => qpos[i] = initial + random.uniform(-0.1, 0.1));
      qvel.forEach((initial, i) => qvel[i] = initial + 0.1 * random.normal());
      if (spread.starts !== null) qpos.set(drawStart(maze, spread.starts, random));
      simulation.forward();
      // A single cell is not drawn, so that the episodes of a seed stay the same.
      const { goals } = spread;
      const cell = goals.length === 1 ? goals[0]! : random.choice(goals);
      const goal = maze.point(cell).map((center) =>
        center + random.uniform(0, 1) + random.uniform(0, 0.5)
      ) as [number, number];
      const [goalX, goalY] = goal;
      return {
        goal,
        step(action) {
          const { ctrl } = simulation;
          action.forEach((value, i) => ctrl[i] = ACTION_SCALE * value);
          simulation.step(FRAME_SKIP);
          const { qpos } = simulation;
          const terminated = Math.hypot(qpos[0]! - goalX, qpos[1]! - goalY) <= goalRadius;
          return { reward: terminated ? 1 : 0, terminated };
        },
        observe(into) {
          into.set(simulation.qpos);
          into.set(simulation.qvel, simulation.qpos.length);
        },
      };
    },
  };
}

const STEPS: Record<string, number> = {
  "antmaze-umaze": 700,
  "antmaze-medium": 1000,
  "antmaze-large": 1000,
};

/** D4RL's antmaze tasks by maze name, for example `antmaze-medium`. */
export const antmazes: ReadonlyMap<string, Task> = new Map(
  Object.keys(STEPS).map((name) => [name, antmazeTask(name, evaluated)]),
);

/** Returns the task of a maze with the starts and goals that `spread` returns for it. */
export function antmazeTask(name: string, spread: (maze: Maze) => Spread): Task {
  const maze = mazes.get(name)!;
  return antmaze(maze, STEPS[name]!, spread(maze));
}
