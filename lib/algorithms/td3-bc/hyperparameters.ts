/**
 * The hyperparameters of TD3+BC: symbol, value, and source of the value. Flags, `--help` and
 * `config.json` are derived from this table.
 *
 * The official code (sfujim/TD3_BC) uses the same values for all tasks, and the paper has only
 * locomotion tasks. AntMaze and Maze2D use the same values here. Adam's betas (0.9, 0.999) and
 * epsilon (1e-8) are set where they are used.
 *
 * @module
 */
import type { RewardRule } from "../../data/rewards.ts";
import {
  all,
  HyperparameterTable,
  integer,
  number,
  row,
  type ValuesOf,
} from "../hyperparameters.ts";

const CODE = "official code";

const size = integer(1, 65536);
const rate = number(0, 1);

/** The table. */
export const hyperparameterTable = new HyperparameterTable({
  rewardRule: row("data", "", "transformation of the rewards", CODE, {
    kind: "choice",
    choices: ["return_range", "minus_one", "none"],
  }, all<RewardRule>("none")),

  alpha: row(
    "agent",
    "α",
    "weight of Q relative to imitation in the actor's loss",
    CODE,
    number(0, 1000),
    all(2.5),
  ),
  discount: row("agent", "γ", "discount factor", CODE, number(0, 1), all(0.99)),
  targetRate: row(
    "agent",
    "",
    "moving-average rate of the target critic and the target actor",
    CODE,
    rate,
    all(0.005),
  ),
  targetNoise: row(
    "agent",
    "σ",
    "standard deviation of the noise on the target actor's actions",
    CODE,
    number(0, 2),
    all(0.2),
  ),
  targetNoiseClip: row(
    "agent",
    "c",
    "maximum absolute value of the target noise",
    CODE,
    number(0, 2),
    all(0.5),
  ),
  actorDelay: row(
    "agent",
    "d",
    "steps between updates of the actor and the targets",
    CODE,
    integer(1, 1000),
    all(2),
  ),
  steps: row("agent", "", "training steps", CODE, integer(1, 1e9), all(1_000_000), all(20_000)),
  batchSize: row("agent", "", "rows per minibatch", CODE, size, all(256)),
  learningRate: row("agent", "", "learning rate (Adam)", CODE, rate, all(3e-4)),
  width: row("agent", "", "hidden units", CODE, size, all(256), all(64)),
  layers: row("agent", "", "hidden layers", CODE, integer(1, 16), all(2)),
});

/** Values of all hyperparameters, under the names of {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;
