/**
 * The hyperparameters of SRPO's three stages: symbol, value, and source of the value. Flags,
 * `--help` and `config.json` are derived from this table.
 *
 * Values that are the same in every experiment are not in the table but where they are used: Adam's
 * and AdamW's betas (0.9, 0.999) and epsilon (1e-8), the VP-SDE's schedule (0.1 to 20), and ReLU in
 * the critic and the policy.
 *
 * @module
 */
import type { Family } from "../../data/catalog.ts";
import type { RewardRule } from "../../data/rewards.ts";
import { UserError } from "../../errors.ts";
import {
  all,
  families,
  HyperparameterTable,
  type HyperparameterValue,
  integer,
  mazes,
  number,
  type Preset,
  row,
  type TaskTraits,
  type ValuesOf,
} from "../hyperparameters.ts";

/** Weights ω(t) of the diffusion times in the policy's gradient. */
export const weightings = [
  "sigma2",
  "sigma4",
  "alpha_over_sigma",
  "constant",
  "two_term",
  "fixed_time",
] as const;

/** One of {@linkcode weightings}. */
export type Weighting = (typeof weightings)[number];

/** Formats a weighting for pictures. */
export function weightingText(weighting: HyperparameterValue): string {
  return {
    sigma2: "ω = σ²",
    sigma4: "ω = σ⁴",
    alpha_over_sigma: "ω = α/σ",
    constant: "ω = 1",
    two_term: "σ² on both terms",
    fixed_time: "ω = δ",
  }[weighting as Weighting];
}

const APPENDIX = "Appendix C";
const CODE = "official code";
const OWN = "this program";

const steps = integer(1, 1e9);
const size = integer(1, 65536);
const rate = number(0, 1);
const time = number(1e-5, 1);

/** The table, in the order of the stages. */
export const hyperparameterTable = new HyperparameterTable({
  // The official code scales maze2d's rewards too, because its rule only excludes "antmaze". Here
  // they are unchanged, as in the small-budget results for maze2d.
  rewardRule: row("data", "", "transformation of the rewards", `${CODE}; maze2d: ${OWN}`, {
    kind: "choice",
    choices: ["return_range", "minus_one", "none"],
  }, families<RewardRule>("return_range", "minus_one", "none")),

  discount: row("critic", "γ", "discount factor", CODE, number(0, 1), all(0.99)),
  expectile: row("critic", "τ", "expectile of V", APPENDIX, number(0.001, 0.999), mazes(0.7, 0.9)),
  // Maze2d's rewards are a hundred steps away, so with few steps the target must follow faster.
  targetRate: row(
    "critic",
    "",
    "moving-average rate of the target Q",
    CODE,
    rate,
    all(0.005),
    families(0.005, 0.005, 0.02),
  ),
  awrTemperature: row(
    "critic",
    "",
    "inverse temperature of the advantage-weighted policy",
    CODE,
    number(0, 1000),
    mazes(3, 10),
  ),
  awrClip: row(
    "critic",
    "",
    "maximum weight in advantage-weighted regression",
    CODE,
    number(0, 1e6),
    all(100),
  ),
  criticSteps: row(
    "critic",
    "",
    "training steps, and period of the advantage-weighted policy's cosine schedule",
    `${APPENDIX}; schedule: ${CODE}`,
    steps,
    all(1_500_000),
    families(10_000, 10_000, 24_000),
  ),
  criticBatchSize: row(
    "critic",
    "",
    "rows per minibatch",
    APPENDIX,
    size,
    all(256),
    families(256, 256, 128),
  ),
  criticLearningRate: row("critic", "", "learning rate (Adam)", APPENDIX, rate, all(3e-4)),
  criticWidth: row("critic", "", "hidden units", APPENDIX, size, all(256), families(128, 128, 64)),
  criticLayers: row("critic", "", "hidden layers", APPENDIX, integer(1, 16), all(2)),

  behaviorSteps: row(
    "behavior",
    "",
    "training steps",
    APPENDIX,
    steps,
    all(2_000_000),
    families(20_000, 20_000, 4_000),
  ),
  behaviorBatchSize: row(
    "behavior",
    "",
    "rows per minibatch",
    APPENDIX,
    size,
    all(2048),
    families(256, 256, 128),
  ),
  behaviorLearningRate: row(
    "behavior",
    "",
    "learning rate (AdamW)",
    APPENDIX,
    rate,
    all(3e-4),
    all(1e-3),
  ),
  behaviorSchedule: row(
    "behavior",
    "",
    "learning rate schedule: constant, or cosine decay to 0",
    CODE,
    { kind: "choice", choices: ["constant", "cosine"] },
    all<"constant" | "cosine">("constant"),
    all<"constant" | "cosine">("cosine"),
  ),
  behaviorWeightDecay: row(
    "behavior",
    "",
    "decoupled weight decay of every trained parameter",
    CODE,
    rate,
    all(0.01),
  ),
  behaviorDropout: row(
    "behavior",
    "",
    "dropout probability in the residual branches",
    CODE,
    number(0, 0.99),
    all(0.1),
  ),
  behaviorWidth: row(
    "behavior",
    "",
    "units of the residual stream; its blocks are four times as wide inside",
    CODE,
    size,
    all(256),
    families(128, 128, 64),
  ),
  // The paper's "6-layer MLP" has two linear layers in each of three blocks.
  behaviorBlocks: row(
    "behavior",
    "",
    "residual blocks",
    CODE,
    integer(1, 16),
    all(3),
    families(3, 3, 2),
  ),
  fourierFrequencies: row(
    "behavior",
    "",
    "Fourier frequencies of the time; there are twice as many features",
    CODE,
    size,
    all(32),
  ),
  fourierScale: row(
    "behavior",
    "",
    "standard deviation of the Fourier frequencies",
    CODE,
    number(0, 1000),
    all(30),
  ),
  embeddingWidth: row("behavior", "", "units of the time embedding", CODE, size, all(128)),
  behaviorMinTime: row("behavior", "", "smallest diffusion time", CODE, time, all(1e-3)),
  behaviorMaxTime: row("behavior", "", "largest diffusion time", CODE, time, all(1)),

  policySteps: row(
    "policy",
    "",
    "training steps, and period of the cosine schedule",
    `${APPENDIX}; schedule: ${CODE}`,
    steps,
    all(1_000_000),
    families(10_000, 10_000, 3_000),
  ),
  policyBatchSize: row("policy", "", "rows per minibatch", APPENDIX, size, all(256)),
  policyLearningRate: row(
    "policy",
    "",
    "learning rate (Adam), with cosine decay to 0",
    `${APPENDIX}; decay: ${CODE}`,
    rate,
    all(3e-4),
  ),
  policyWidth: row("policy", "", "hidden units", APPENDIX, size, all(256), families(128, 128, 64)),
  policyLayers: row("policy", "", "hidden layers", APPENDIX, integer(1, 16), mazes(2, 4)),
  // Maze2d is not in the paper. Its value, and locomotion's quick value, are the best ones for the
  // official code with small budgets.
  beta: row<number>(
    "policy",
    "β",
    "temperature; larger values are greedier",
    `Table 2; maze2d, quick: ${OWN}`,
    number(0, 1000),
    { locomotion: null, antmaze: null, maze2d: 0.3 },
    { locomotion: 0.003, antmaze: null, maze2d: 0.3 },
  ),
  // The paper states the L2 norm, but the code uses the root mean square over the action's entries.
  // The published values of β belong to the latter.
  normalizeBeta: row(
    "policy",
    "β_norm",
    "divide β by the root mean square of ∂Q/∂a in each row",
    `${APPENDIX}; root mean square: ${CODE}`,
    { kind: "boolean" },
    mazes(false, true),
  ),
  // sigma4 and two_term are in the first version of the official code (commit 0b427a5).
  weighting: row(
    "policy",
    "ω(t)",
    "weight of diffusion time t; two_term weights Q's gradient with σ² too",
    `${APPENDIX}; sigma4, two_term: first ${CODE}`,
    { kind: "choice", choices: weightings },
    all<Weighting>("sigma2"),
  ),
  normalizeWeighting: {
    ...row(
      "policy",
      "",
      "scale ω(t) so that its mean over the times is that of σ², and β means the same",
      OWN,
      { kind: "boolean" },
      all(false),
    ),
    former: false,
  },
  fixedTime: row(
    "policy",
    "δ(t)",
    "diffusion time of --weighting fixed_time",
    "Section 4.2",
    time,
    all(0.02),
  ),
  policyMinTime: row("policy", "", "smallest diffusion time", "Eq. 14", time, all(0.02)),
  policyMaxTime: row("policy", "", "largest diffusion time", "Eq. 14", time, all(0.98)),
  // The code's default omits it, which gives the same mean gradient with more variance (Remark 2).
  subtractBaseline: row(
    "policy",
    "−ε",
    "subtract the noise from its prediction",
    "Eq. 15",
    { kind: "boolean" },
    all(true),
  ),
}, {
  published({ name, beta }) {
    if (beta !== null) return { beta };
    throw new UserError(
      `the paper has no β for ${name ?? "data of an unknown task"}; choose one with --beta ` +
        "(it swept 0.01 to 0.5 for locomotion and 0.01 to 0.08 for AntMaze); --preset quick has one " +
        "for locomotion and maze2d",
    );
  },
  check(values) {
    for (const stage of ["behavior", "policy"] as const) {
      if (values[`${stage}MinTime`] >= values[`${stage}MaxTime`]) {
        throw new UserError(
          `--${stage}-min-time (${values[`${stage}MinTime`]}) must be smaller than ` +
            `--${stage}-max-time (${values[`${stage}MaxTime`]})`,
        );
      }
    }
    const { weighting, fixedTime, behaviorMinTime, behaviorMaxTime } = values;
    const [first, last, flags] = weighting === "fixed_time"
      ? [fixedTime, fixedTime, "--fixed-time"]
      : [values.policyMinTime, values.policyMaxTime, "--policy-min-time and --policy-max-time"];
    if (first < behaviorMinTime || last > behaviorMaxTime) {
      throw new UserError(
        `the diffusion times of the policy (${flags}: ${first} to ${last}) must be within those of ` +
          `the behavior model (--behavior-min-time and --behavior-max-time: ${behaviorMinTime} to ` +
          `${behaviorMaxTime}), which is not trained at other times`,
      );
    }
  },
});

/** Values of all hyperparameters, under the names of {@linkcode hyperparameterTable}. */
export type Hyperparameters = ValuesOf<typeof hyperparameterTable>;

/**
 * Returns all hyperparameters for a task; see {@linkcode HyperparameterTable.valuesFor}.
 *
 * @throws {UserError} If an override is invalid or no β is known.
 */
export function hyperparametersFor(
  target: TaskTraits | Family,
  preset: Preset,
  overrides: { readonly [K in keyof Hyperparameters]?: Hyperparameters[K] | undefined } = {},
): Hyperparameters {
  return hyperparameterTable.valuesFor(target, preset, overrides);
}
