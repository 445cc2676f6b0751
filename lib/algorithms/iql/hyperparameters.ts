/**
 * Every hyperparameter of IQL. Appendices are those of its paper (arXiv 2110.06169), the code is
 * github.com/ikostrikov/implicit_q_learning at 09d7002.
 *
 * What is the same in every experiment is not here but where it is used: Adam's betas (0.9, 0.999) and
 * epsilon (1e-8), ReLU between the layers, the limits of the policy's standard deviation.
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

/** The table. Maze2d is not in the paper; it has AntMaze's values and, as in the code, its own rewards. */
export const hyperparameterTable = new HyperparameterTable({
  rewardRule: row(
    "data",
    "",
    "how rewards become those trained on",
    APPENDIX,
    { kind: "choice", choices: ["episode_return_range", "minus_one", "none"] },
    families<RewardRule>("episode_return_range", "minus_one", "none"),
  ),

  discount: row("agent", "γ", "discount", CODE, number(0, 1), all(0.99)),
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
    "largest weight of an action in the policy's loss",
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
    "steps, and the period of the policy's cosine schedule",
    CODE,
    steps,
    all(1_000_000),
    all(20_000),
  ),
  batchSize: row("agent", "", "rows per minibatch", CODE, size, all(256)),
  learningRate: row(
    "agent",
    "",
    "learning rate (Adam); the policy's falls to 0 along a cosine",
    APPENDIX,
    rate,
    all(3e-4),
  ),
  width: row("agent", "", "hidden units", APPENDIX, size, all(256), all(64)),
  layers: row("agent", "", "hidden layers", APPENDIX, integer(1, 16), all(2)),
});

/** Values of all hyperparameters, under the names of {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;
