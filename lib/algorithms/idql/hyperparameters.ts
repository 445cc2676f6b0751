/**
 * All hyperparameters of IDQL. The official code is github.com/philippe-eecs/IDQL at 7582571; the
 * values are those of `launcher/examples/train_ddpm_iql_offline.py`.
 *
 * Constants shared by all experiments are defined where they are used: Adam's betas (0.9, 0.999)
 * and epsilon (1e-8), the schedule's β(t) from 0.1 to 10, and the standard deviation 0.2 of the
 * initial Fourier frequencies.
 *
 * @module
 */
import type { RewardRule } from "../../data/rewards.ts";
import {
  all,
  families,
  HyperparameterTable,
  integer,
  mazes,
  number,
  row,
  type ValuesOf,
} from "../hyperparameters.ts";

const CODE = "official code";

const size = integer(1, 65536);
const rate = number(0, 1);

/**
 * The table. The paper does not cover Maze2d; it uses AntMaze's values and, as in the official
 * code, unmodified rewards.
 */
export const hyperparameterTable = new HyperparameterTable({
  rewardRule: row(
    "data",
    "",
    "transformation of the rewards",
    CODE,
    { kind: "choice", choices: ["episode_return_range", "minus_one", "none"] },
    families<RewardRule>("episode_return_range", "minus_one", "none"),
  ),

  steps: row(
    "agent",
    "",
    "steps; also the period of the behavior model's cosine schedule",
    CODE,
    integer(1, 1e9),
    all(3_000_000),
    all(10_000),
  ),
  batchSize: row("agent", "", "rows per minibatch", CODE, size, all(512), all(256)),
  learningRate: row(
    "agent",
    "",
    "learning rate (Adam); decays to 0 along a cosine for the behavior model",
    CODE,
    rate,
    all(3e-4),
  ),
  discount: row("agent", "γ", "discount", CODE, number(0, 1), all(0.99)),
  expectile: row("agent", "τ", "expectile of V", CODE, number(0.001, 0.999), mazes(0.7, 0.9)),
  targetRate: row(
    "agent",
    "α",
    "moving-average rate of the target Q",
    CODE,
    rate,
    all(0.005),
  ),
  width: row("agent", "", "hidden units of Q and V", CODE, size, all(256), all(64)),
  layers: row("agent", "", "hidden layers of Q and V", CODE, integer(1, 16), all(2)),
  diffusionSteps: row("agent", "T", "diffusion times", CODE, integer(1, 64), all(5)),
  averageRate: row(
    "agent",
    "",
    "rate of the moving average of the behavior model, which is used for acting",
    CODE,
    rate,
    all(0.001),
  ),
  behaviorWeightDecay: row(
    "agent",
    "",
    "weight decay of the behavior model",
    CODE,
    rate,
    all(1e-4),
  ),
  behaviorDropout: row(
    "agent",
    "",
    "dropout in the behavior model's residual blocks",
    CODE,
    number(0, 0.99),
    all(0.1),
  ),
  behaviorWidth: row(
    "agent",
    "",
    "units of the behavior model's residual stream",
    CODE,
    size,
    all(256),
    all(64),
  ),
  behaviorBlocks: row(
    "agent",
    "",
    "residual blocks of the behavior model",
    CODE,
    integer(1, 16),
    all(3),
    all(2),
  ),
  fourierFrequencies: row("agent", "", "Fourier frequencies of the time", CODE, size, all(64)),
  embeddingWidth: row("agent", "", "units of the time embedding", CODE, size, all(256)),
});

/** Values of all hyperparameters, keyed by the names in {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;
