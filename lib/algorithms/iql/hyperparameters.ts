/**
 * The hyperparameters of IQL. "Appendix" refers to its paper (arXiv 2110.06169), and "official
 * code" to github.com/ikostrikov/implicit_q_learning at 09d7002.
 *
 * Values that are the same in every experiment are not in the table but where they are used: Adam's
 * betas (0.9, 0.999) and epsilon (1e-8), ReLU between the layers, and the limits of the policy's
 * standard deviation.
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

const APPENDIX = "Appendix B";
const CODE = "official code";

const steps = integer(1, 1e9);
const size = integer(1, 65536);
const rate = number(0, 1);

/**
 * The table. Maze2d is not in the paper. It has AntMaze's values, with unchanged rewards as in the
 * code.
 */
export const hyperparameterTable = new HyperparameterTable({
  rewardRule: row(
    "data",
    "",
    "transformation of the rewards",
    APPENDIX,
    { kind: "choice", choices: ["episode_return_range", "minus_one", "none"] },
    families<RewardRule>("episode_return_range", "minus_one", "none"),
  ),

  discount: row("agent", "γ", "discount factor", CODE, number(0, 1), all(0.99)),
  expectile: row("agent", "τ", "expectile of V", APPENDIX, number(0.001, 0.999), mazes(0.7, 0.9)),
  temperature: row(
    "agent",
    "β",
    "inverse temperature of the policy's weights",
    APPENDIX,
    number(0, 1000),
    mazes(3, 10),
  ),
  weightLimit: row(
    "agent",
    "",
    "maximum weight of an action in the policy's loss",
    APPENDIX,
    number(0, 1e6),
    all(100),
  ),
  targetRate: row(
    "agent",
    "α",
    "moving-average rate of the target Q",
    APPENDIX,
    rate,
    all(0.005),
  ),
  steps: row(
    "agent",
    "",
    "training steps, and period of the policy's cosine schedule",
    CODE,
    steps,
    all(1_000_000),
    all(20_000),
  ),
  batchSize: row("agent", "", "rows per minibatch", CODE, size, all(256)),
  learningRate: row(
    "agent",
    "",
    "learning rate (Adam); the policy's has cosine decay to 0",
    APPENDIX,
    rate,
    all(3e-4),
  ),
  width: row("agent", "", "hidden units", APPENDIX, size, all(256), all(64)),
  layers: row("agent", "", "hidden layers", APPENDIX, integer(1, 16), all(2)),
});

/** Values of all hyperparameters, under the names of {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;
