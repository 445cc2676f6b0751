/**
 * Sizes of the bandit experiment.
 *
 * @module
 */
import type { BehaviorBudget } from "./behavior.ts";
import type { Grid } from "./density.ts";
import type { VaeBudget } from "./vae.ts";

/** Sizes of an experiment. */
export interface BanditBudget {
  /** Points of the density that models learn from. */
  readonly points: number;
  /** Training of the behavior model. */
  readonly behavior: BehaviorBudget;
  /** Training of the diffusion policy. */
  readonly policy: BehaviorBudget;
  /** Training of the VAE. */
  readonly vae: VaeBudget;
  /** Grid of the log-density. */
  readonly grid: Grid;
  /** Steps of the probability-flow ODE. */
  readonly solverSteps: number;
  /** Targets per side. */
  readonly targets: number;
  /** Steps of a free point, and draws per point and step. */
  readonly point: { readonly steps: number; readonly draws: number };
}

const network = { width: 64, blocks: 2, learningRate: 3e-3 } as const;

/**
 * The budgets: about a minute and a half, and less than half a minute, on two processor cores
 * (docs/bandit.md).
 */
export const budgets: Readonly<Record<"full" | "quick", BanditBudget>> = {
  full: {
    points: 200_000,
    behavior: { ...network, batch: 512, steps: 4000 },
    policy: { ...network, batch: 512, steps: 2000 },
    vae: { steps: 3000, batch: 256 },
    grid: { half: 4.8, cells: 64 },
    solverSteps: 40,
    targets: 7,
    point: { steps: 600, draws: 8 },
  },
  quick: {
    points: 50_000,
    behavior: { ...network, batch: 256, steps: 2000 },
    policy: { ...network, batch: 256, steps: 600 },
    vae: { steps: 800, batch: 256 },
    grid: { half: 4.8, cells: 48 },
    solverSteps: 20,
    targets: 7,
    point: { steps: 200, draws: 4 },
  },
};

/** Half the side of the square that the targets cover. */
const targetHalf = 4;

/** Returns the targets, `[side², 2]`: a grid over [−4, 4]², x fastest. */
export function targetGrid(side: number): Float32Array {
  return Float32Array.from({ length: 2 * side * side }, (_, i) => {
    const place = Math.floor(i / 2);
    const along = i % 2 === 0 ? place % side : Math.floor(place / side);
    return -targetHalf + 2 * targetHalf * along / (side - 1);
  });
}
