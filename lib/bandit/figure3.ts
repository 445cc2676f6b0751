/**
 * Figure 3 while it is computed: the density of the behavior model as it is learned, and SRPO's
 * policies (Eq. 10) as they move. It reads no files, so it also runs in a browser.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { drawToy, type ToyName } from "../data/toy.ts";
import { type Behavior, behaviorHyperparameters, trainBehavior } from "./behavior.ts";
import { type BanditBudget, targetGrid } from "./budget.ts";
import { type Grid, gridPoints, logDensity } from "./density.ts";
import { LearnedField } from "./field.ts";
import type { Plane } from "./figure.ts";
import { inverseBetas } from "./methods.ts";
import { LearnedPrediction } from "./prediction.ts";
import { optimizePoints, smallTime } from "./score_points.ts";
import { type Support, supportOf } from "./support.ts";

/** SRPO's policies of all targets at one temperature. */
export interface Figure3Policies {
  /** 1/β. */
  readonly inverseBeta: number;
  /** Actions, `[m, 2]`. */
  readonly actions: Float32Array;
  /** Fraction of them in the support of the data. */
  readonly inSupport: number;
}

/** The figure at some point of its computation. */
export interface Figure3 extends Plane {
  /**
   * Log-density of the behavior model at the points of a grid; null before the first look at it.
   */
  readonly density: { readonly grid: Grid; readonly logs: Float64Array } | null;
  /** Policies from greedy to conservative. */
  readonly policies: readonly Figure3Policies[];
}

/** Progress and interruption of the figure's computation. */
export interface Figure3Watch {
  /** Called at the start of each part with step 0, and after each of its steps. */
  readonly onStep: (part: string, step: number, steps: number, loss?: number) => void;
  /** Stops between steps if it returns true. */
  readonly shouldStop: () => boolean;
  /** Awaited between chunks of steps. `look` returns the figure as it is now. */
  readonly between: (look: () => Promise<Figure3>) => Promise<void>;
}

/** Grid and solver steps of a density during training, which takes as long as 50 training steps. */
const glance = { cells: 24, solverSteps: 8 } as const;

/**
 * Computes the figure.
 *
 * @returns Null if it was stopped.
 */
export async function computeFigure3(
  engine: Engine,
  density: ToyName,
  budget: BanditBudget,
  seed: number,
  { onStep, shouldStop, between }: Figure3Watch,
): Promise<Figure3 | null> {
  const points = drawToy(density, budget.points, seed);
  const targets = targetGrid(budget.targets);
  const support = supportOf(density, seed);
  const policies = (sets: readonly Float32Array[]): Figure3Policies[] =>
    [0, ...inverseBetas].map((inverseBeta, i) => {
      // At 1/β = 0, the policies are their targets.
      const actions = i === 0 ? targets : sets[i - 1] ?? targets;
      return { inverseBeta, actions, inSupport: inSupport(support, actions) };
    });
  const figure: Figure3 = { points, targets, budget, density: null, policies: policies([]) };

  const { steps } = budget.behavior;
  onStep("behavior", 0, steps);
  const behavior = await trainBehavior(
    engine,
    { points, states: new Float32Array() },
    behaviorHyperparameters(budget.behavior),
    seed,
    {
      onStep: (step, loss) => onStep("behavior", step, steps, loss),
      shouldStop,
      between: (read) =>
        between(async () => {
          const grid = { ...budget.grid, cells: glance.cells };
          const logs = await densityOn(engine, await read(), grid, glance.solverSteps, () => {});
          return { ...figure, density: { grid, logs } };
        }),
    },
  );
  if (shouldStop()) return null;

  const { grid, solverSteps } = budget;
  onStep("density", 0, solverSteps);
  const logs = await densityOn(
    engine,
    behavior,
    grid,
    solverSteps,
    (step) => onStep("density", step, solverSteps),
  );
  const learned = { ...figure, density: { grid, logs } };
  if (shouldStop()) return null;

  onStep("policies", 0, budget.point.steps);
  const moved = await optimizePoints(
    engine,
    new LearnedPrediction(behavior.shape, behavior.values),
    targets,
    inverseBetas.map((inverseBeta) => smallTime(1 / inverseBeta)),
    {
      ...budget.point,
      seed,
      onStep: (step) => onStep("policies", step, budget.point.steps),
      shouldStop,
      between: (read) => between(async () => ({ ...learned, policies: policies(await read()) })),
    },
  );
  return shouldStop() ? null : { ...learned, policies: policies(moved) };
}

async function densityOn(
  engine: Engine,
  behavior: Behavior,
  grid: Grid,
  solverSteps: number,
  onStep: (step: number) => void,
): Promise<Float64Array> {
  const at = gridPoints(grid);
  using field = await LearnedField.open(engine, behavior, at.length / 2);
  return await logDensity((points, t) => field.at(points, t), at, solverSteps, onStep);
}

/** Returns the fraction of actions `[m, 2]` that lie in the support. */
function inSupport(support: Support, actions: Float32Array): number {
  const rows = actions.length / 2;
  let inside = 0;
  for (let row = 0; row < rows; row++) {
    inside += Number(support.contains(actions[2 * row]!, actions[2 * row + 1]!));
  }
  return inside / rows;
}
