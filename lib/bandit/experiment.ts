/**
 * The whole bandit experiment on one density: data, behavior model, log-density, and every policy
 * of Figures 2 to 5 and 9 to 12. It computes and reads no files, so it also runs in a browser.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { drawToy, type ToyName } from "../data/toy.ts";
import { behaviorHyperparameters, trainBehavior } from "./behavior.ts";
import { type BanditBudget, targetGrid } from "./budget.ts";
import { cellArea, gridPoints, logDensity } from "./density.ts";
import { LearnedField } from "./field.ts";
import { type ActionSet, comparedActions, regularizedActions, type Setting } from "./methods.ts";
import { type PolicyScores, scoresOf } from "./scores.ts";
import { supportOf } from "./support.ts";

/** The policies of all targets by one method and temperature, and what they reach. */
export interface PolicySet extends ActionSet {
  /** Means over the actions. */
  readonly scores: PolicyScores;
}

/** The result of an experiment. */
export interface BanditResult {
  /** The density. */
  readonly density: ToyName;
  /** Seed. */
  readonly seed: number;
  /** Sizes. */
  readonly budget: BanditBudget;
  /** Points of the data, `[n, 2]`. */
  readonly points: Float32Array;
  /** Targets, `[m, 2]`. */
  readonly targets: Float32Array;
  /** Mean diffusion loss over the last tenth of the training. */
  readonly loss: number;
  /** Log-density of the behavior model at the points of the grid. */
  readonly logDensity: Float64Array;
  /** Its integral over the grid. */
  readonly integral: number;
  /** Radius of the support. */
  readonly supportRadius: number;
  /** Policies, in the order of the figure. */
  readonly policies: readonly PolicySet[];
}

/** Progress and interruption of an experiment. */
export interface BanditWatch {
  /**
   * Called at the start of each part with step 0, and after each of its steps, for the behavior
   * model with its loss.
   */
  readonly onStep?: (part: string, step: number, steps: number, loss?: number) => void;
  /** Stops the experiment between steps if it returns true. */
  readonly shouldStop?: () => boolean;
}

/**
 * Runs the experiment on one density.
 *
 * @returns Null if it was stopped.
 */
export async function runBandit(
  engine: Engine,
  density: ToyName,
  budget: BanditBudget,
  seed: number,
  { onStep = () => {}, shouldStop = () => false }: BanditWatch = {},
): Promise<BanditResult | null> {
  const points = drawToy(density, budget.points, seed);
  const targets = targetGrid(budget.targets);
  const part: Setting["part"] = (name, steps) => {
    onStep(name, 0, steps);
    return { onStep: (step) => onStep(name, step, steps), shouldStop };
  };
  const setting: Setting = { engine, points, targets, budget, seed, part };

  const losses: number[] = [];
  onStep("behavior", 0, budget.behavior.steps);
  const data = { points, states: new Float32Array() };
  const h = behaviorHyperparameters(budget.behavior);
  const behavior = await trainBehavior(engine, data, h, seed, {
    onStep: (step, loss) => {
      losses.push(loss);
      onStep("behavior", step, budget.behavior.steps, loss);
    },
    shouldStop,
  });
  if (shouldStop()) return null;

  const grid = gridPoints(budget.grid);
  using field = await LearnedField.open(engine, behavior, grid.length / 2);
  const solving = part("density", budget.solverSteps);
  const logMu = await logDensity(
    (at, t) => field.at(at, t),
    grid,
    budget.solverSteps,
    solving.onStep,
  );
  if (shouldStop()) return null;

  const sets = await regularizedActions(setting, behavior);
  if (shouldStop()) return null;
  sets.push(...await comparedActions(setting));
  if (shouldStop()) return null;

  const support = supportOf(density, seed);
  const judges = { logMu, grid: budget.grid, support };
  const tail = losses.slice(-Math.ceil(losses.length / 10));
  return {
    density,
    seed,
    budget,
    points,
    targets,
    loss: tail.reduce((a, b) => a + b, 0) / tail.length,
    logDensity: logMu,
    integral: logMu.reduce((sum, log) => sum + Math.exp(log), 0) * cellArea(budget.grid),
    supportRadius: support.radius,
    policies: sets.map((set) => ({ ...set, scores: scoresOf(set, targets, judges) })),
  };
}
