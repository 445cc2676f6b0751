/**
 * All hyperparameters of Diffusion-QL, with their symbols, values and the sources of the values.
 * The command-line flags, `--help` and `config.json` are generated from this table.
 *
 * All values come from the official code of the paper (arXiv 2208.06193),
 * github.com/Zhendong-Wang/Diffusion-Policies-for-Offline-RL at d871f5c. Constants shared by all
 * experiments are defined where they are used: Adam's betas (0.9, 0.999) and epsilon (1e-8), three
 * hidden layers with Mish between them, and the schedule's β(t) from 0.1 to 10.
 *
 * @module
 */
import type { RewardRule } from "../../data/rewards.ts";
import { UserError } from "../../errors.ts";
import {
  all,
  families,
  HyperparameterTable,
  integer,
  number,
  row,
  type TaskTraits,
  type ValuesOf,
} from "../hyperparameters.ts";

const CODE = "official code";

const rate = number(0, 1);
const count = integer(1, 1e9);

/** Published values of one task. */
interface Published {
  readonly eta: number;
  readonly gradientNorm: number;
  readonly learningRate?: number;
  readonly maxOverActions?: boolean;
}

/** Published values by task name, without the data version. */
const published: Readonly<Record<string, Published>> = {
  "halfcheetah-medium": { eta: 1, gradientNorm: 9 },
  "hopper-medium": { eta: 1, gradientNorm: 9 },
  "walker2d-medium": { eta: 1, gradientNorm: 1 },
  "halfcheetah-medium-replay": { eta: 1, gradientNorm: 2 },
  "hopper-medium-replay": { eta: 1, gradientNorm: 4 },
  "walker2d-medium-replay": { eta: 1, gradientNorm: 4 },
  "halfcheetah-medium-expert": { eta: 1, gradientNorm: 7 },
  "hopper-medium-expert": { eta: 1, gradientNorm: 5 },
  "walker2d-medium-expert": { eta: 1, gradientNorm: 5 },
  "antmaze-umaze": { eta: 0.5, gradientNorm: 2 },
  "antmaze-umaze-diverse": { eta: 2, gradientNorm: 3, maxOverActions: true },
  "antmaze-medium-play": { eta: 2, gradientNorm: 2, learningRate: 1e-3, maxOverActions: true },
  "antmaze-medium-diverse": { eta: 3, gradientNorm: 1, maxOverActions: true },
  "antmaze-large-play": { eta: 4.5, gradientNorm: 10, maxOverActions: true },
  "antmaze-large-diverse": { eta: 3.5, gradientNorm: 7, maxOverActions: true },
};

/**
 * The table. The paper does not cover Maze2d. Its rewards are unmodified, which is the default of
 * the official code; η and the gradient norm are those of AntMaze's medium maze.
 */
export const hyperparameterTable = new HyperparameterTable({
  rewardRule: row(
    "data",
    "",
    "transformation of the rewards",
    CODE,
    { kind: "choice", choices: ["return_range", "minus_one", "plus_minus_two", "none"] },
    families<RewardRule>("none", "plus_minus_two", "none"),
  ),

  eta: row(
    "agent",
    "η",
    "weight of Q relative to imitation in the actor's loss",
    CODE,
    number(0, 1000),
    families<number | null>(null, null, 2),
    families(1, 2, 2),
  ),
  gradientNorm: row(
    "agent",
    "",
    "maximum gradient norm",
    CODE,
    number(1e-6, 1e6),
    families<number | null>(null, null, 2),
    families(9, 2, 2),
  ),
  maxOverActions: row(
    "agent",
    "",
    "estimate the value of a next state by the largest Q' of ten actions instead of one action's Q'",
    CODE,
    { kind: "boolean" },
    families<boolean | null>(false, null, false),
    families(false, true, false),
  ),
  diffusionSteps: row(
    "agent",
    "T",
    "steps of the diffusion model",
    CODE,
    integer(1, 64),
    all(5),
  ),
  discount: row("agent", "γ", "discount", CODE, number(0, 1), all(0.99)),
  targetRate: row(
    "agent",
    "",
    "moving-average rate of the target Q",
    CODE,
    rate,
    all(0.005),
  ),
  averageRate: row(
    "agent",
    "",
    "moving-average rate of the averaged actor, which the critic uses",
    CODE,
    rate,
    all(0.005),
  ),
  averageEvery: row(
    "agent",
    "",
    "steps between updates of the averaged actor",
    CODE,
    count,
    all(5),
  ),
  averageFrom: row(
    "agent",
    "",
    "first step that may update the averaged actor",
    CODE,
    integer(0, 1e9),
    all(1000),
  ),
  steps: row(
    "agent",
    "",
    "steps",
    CODE,
    count,
    families(2_000_000, 1_000_000, 1_000_000),
    all(10_000),
  ),
  batchSize: row("agent", "", "rows per minibatch", CODE, integer(1, 65536), all(256)),
  learningRate: row(
    "agent",
    "",
    "learning rate (Adam)",
    CODE,
    rate,
    families<number | null>(3e-4, null, 3e-4),
    all(3e-4),
  ),
  width: row("agent", "", "hidden units", CODE, integer(1, 65536), all(256), all(64)),
}, {
  published({ name }: TaskTraits) {
    const values = published[name?.replace(/-v\d+$/, "") ?? ""];
    if (values !== undefined) return { learningRate: 3e-4, maxOverActions: false, ...values };
    throw new UserError(
      `the paper has no η or gradient norm for ${name ?? "data of an unknown task"}; use ` +
        "--preset quick, or set all of --eta (0.5 to 4.5 in the paper), --gradient-norm (1 to 10), " +
        "--max-over-actions and --learning-rate",
    );
  },
});

/** Values of all hyperparameters, keyed by the names in {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;
