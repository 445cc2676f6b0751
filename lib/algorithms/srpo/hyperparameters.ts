/**
 * Every hyperparameter of the three stages: its symbol, its value, and where the value is from. The
 * command line's flags, `--help` and `config.json` are made from this table.
 *
 * What is the same in every experiment is not here but where it is used: Adam's and AdamW's betas (0.9,
 * 0.999) and epsilon (1e-8), the VP-SDE's schedule (0.1 to 20), ReLU in the critic and the policy.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import type { Family, Task } from "../../data/catalog.ts";
import type { RewardRule } from "../../data/rewards.ts";

/** Weights ω(t) of the diffusion times in the policy's gradient. */
export const weightings = ["sigma2", "alpha_over_sigma", "constant", "fixed_time"] as const;

/** One of {@linkcode weightings}. */
export type Weighting = (typeof weightings)[number];

/** `paper`: the published schedule. `quick`: what two processor cores do in minutes. */
export type Preset = "paper" | "quick";

/** The presets, the default first. */
export const presets: readonly Preset[] = ["paper", "quick"];

/** What values a hyperparameter takes; limits are included. */
export type ValueKind =
  | { readonly kind: "integer" | "number"; readonly min: number; readonly max: number }
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "boolean" };

/** One row of the table. */
export interface Hyperparameter<T> {
  /** Part of the method it belongs to; the heading in `--help`. */
  readonly stage: "data" | "critic" | "behavior" | "policy";
  /** The paper's symbol; empty where it has none. */
  readonly symbol: string;
  /** One line for `--help`. */
  readonly help: string;
  /** Where the `paper` values are from. */
  readonly source: string;
  /** What values it takes. */
  readonly values: ValueKind;
  /** Values by preset and family; null stands for the task's own (β). */
  readonly defaults: Readonly<Record<Preset, Readonly<Record<Family, T | null>>>>;
}

const APPENDIX = "Appendix C";
const CODE = "official code";

const steps = integer(1, 1e9);
const size = integer(1, 65536);
const rate = number(0, 1);
const time = number(1e-5, 1);

/** The table, in the order in which things are trained. */
export const hyperparameterTable = {
  // The code divides maze2d's rewards too, since its rule asks for "antmaze"; here they stay as they
  // are, with which the small-budget results for maze2d were reached.
  rewardRule: row("data", "", "how rewards become those trained on", CODE, {
    kind: "choice",
    choices: ["return_range", "minus_one", "none"],
  }, families<RewardRule>("return_range", "minus_one", "none")),

  discount: row("critic", "γ", "discount", CODE, number(0, 1), all(0.99)),
  expectile: row("critic", "τ", "expectile of V", APPENDIX, number(0.001, 0.999), mazes(0.7, 0.9)),
  // Maze2d's rewards lie a hundred steps away: at its quick budget the target must follow faster.
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
    "largest weight in advantage-weighted regression",
    CODE,
    number(0, 1e6),
    all(100),
  ),
  criticSteps: row(
    "critic",
    "",
    "steps, and the period of the advantage-weighted policy's cosine schedule",
    APPENDIX,
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
    "steps",
    APPENDIX,
    steps,
    all(2_000_000),
    families(30_000, 30_000, 4_000),
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
    "learning rate over the stage: constant, or a cosine to 0",
    CODE,
    { kind: "choice", choices: ["constant", "cosine"] },
    all<"constant" | "cosine">("constant"),
    all<"constant" | "cosine">("cosine"),
  ),
  behaviorWeightDecay: row(
    "behavior",
    "",
    "decoupled weight decay, on every trained parameter",
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
    "units of the residual stream; its blocks widen to four times as many",
    CODE,
    size,
    all(256),
    families(128, 128, 64),
  ),
  // The paper's "6-layer MLP": two linear layers in each of three blocks.
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
    "Fourier frequencies of time; features are twice as many",
    CODE,
    size,
    all(32),
  ),
  fourierScale: row(
    "behavior",
    "",
    "standard deviation of these frequencies",
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
    "steps, and the period of the cosine schedule",
    APPENDIX,
    steps,
    all(1_000_000),
    families(20_000, 20_000, 3_000),
  ),
  policyBatchSize: row("policy", "", "rows per minibatch", APPENDIX, size, all(256)),
  policyLearningRate: row(
    "policy",
    "",
    "learning rate (Adam), falling to 0 along a cosine",
    APPENDIX,
    rate,
    all(3e-4),
  ),
  policyWidth: row("policy", "", "hidden units", APPENDIX, size, all(256), families(128, 128, 64)),
  policyLayers: row("policy", "", "hidden layers", APPENDIX, integer(1, 16), mazes(2, 4)),
  // Maze2d is not in the paper; its value, and locomotion's quick one, are those that the official
  // code learned best with at the quick budgets.
  beta: row<number>(
    "policy",
    "β",
    "temperature: the larger, the greedier",
    "Table 2",
    number(0, 1000),
    { locomotion: null, antmaze: null, maze2d: 0.3 },
    { locomotion: 0.003, antmaze: null, maze2d: 0.3 },
  ),
  // The paper writes the L2 norm, the code takes the root mean square over the action's entries; β's
  // published values belong to the latter.
  normalizeBeta: row(
    "policy",
    "β_norm",
    "divide β by the norm of ∂Q/∂a, row by row",
    APPENDIX,
    { kind: "boolean" },
    mazes(false, true),
  ),
  weighting: row("policy", "ω(t)", "weight of diffusion time t", APPENDIX, {
    kind: "choice",
    choices: weightings,
  }, all<Weighting>("sigma2")),
  fixedTime: row(
    "policy",
    "δ(t)",
    "the time of --weighting fixed_time",
    "Section 4.2",
    time,
    all(0.02),
  ),
  policyMinTime: row("policy", "", "smallest diffusion time", "Eq. 14", time, all(0.02)),
  policyMaxTime: row("policy", "", "largest diffusion time", "Eq. 14", time, all(0.98)),
  // The code's default leaves it out, which has the same mean and more variance (Remark 2).
  subtractBaseline: row(
    "policy",
    "−ε",
    "subtract the noise from its prediction",
    "Eq. 15",
    { kind: "boolean" },
    all(true),
  ),
};

/** Values of all hyperparameters, under the names of {@linkcode hyperparameterTable}. */
export type Hyperparameters = {
  readonly [K in keyof typeof hyperparameterTable]: (typeof hyperparameterTable)[K] extends
    Hyperparameter<infer T> ? T : never;
};

/** Names of the hyperparameters, in the table's order. */
export const hyperparameterNames = Object.keys(
  hyperparameterTable,
) as readonly (keyof Hyperparameters)[];

/** Name of a hyperparameter's flag without the dashes: `critic-steps` for `criticSteps`. */
export function flagName(name: keyof Hyperparameters): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * The default of a hyperparameter as `--help` shows it, for example
 * `1500000; quick: 10000, maze2d 20000`.
 */
export function defaultText(name: keyof Hyperparameters): string {
  const { paper, quick } = hyperparameterTable[name].defaults;
  const [published, scaled] = [familiesText(paper), familiesText(quick)];
  return published === scaled ? published : `${published}; quick: ${scaled}`;
}

/**
 * All hyperparameters for a task.
 *
 * @param target A task, or only its family where the data are of no known task.
 * @param overrides Values that stand in place of the preset's.
 * @throws UserError when an override is not a value of its hyperparameter, or no β is known.
 */
export function hyperparametersFor(
  target: Pick<Task, "name" | "family" | "beta"> | Family,
  preset: Preset,
  overrides: { readonly [K in keyof Hyperparameters]?: Hyperparameters[K] | undefined } = {},
): Hyperparameters {
  const task = typeof target === "string" ? { name: null, family: target, beta: null } : target;
  const values = Object.fromEntries(hyperparameterNames.map((name) => {
    const value = overrides[name] ?? hyperparameterTable[name].defaults[preset][task.family];
    return [name, value ?? task.beta];
  }));
  if (values["beta"] === null) {
    throw new UserError(
      `the paper gives no β for ${task.name ?? "data of no known task"}; choose one with --beta ` +
        "(it swept 0.01 to 0.5 for locomotion and 0.01 to 0.08 for AntMaze), or use --preset quick",
    );
  }
  for (const name of hyperparameterNames) checkValue(name, values[name]);
  const result = values as unknown as Hyperparameters;
  for (const stage of ["behavior", "policy"] as const) {
    if (result[`${stage}MinTime`] >= result[`${stage}MaxTime`]) {
      throw new UserError(
        `--${stage}-min-time is ${result[`${stage}MinTime`]} and --${stage}-max-time ` +
          `${result[`${stage}MaxTime`]}; the first must be the smaller one`,
      );
    }
  }
  return result;
}

function checkValue(name: keyof Hyperparameters, value: unknown): void {
  const { values } = hyperparameterTable[name];
  let expected: string | null = null;
  if (values.kind === "choice") {
    if (!values.choices.some((choice) => choice === value)) {
      expected = `one of ${values.choices.join(", ")}`;
    }
  } else if (values.kind === "boolean") {
    if (typeof value !== "boolean") expected = "true or false";
  } else {
    const fits = typeof value === "number" && value >= values.min && value <= values.max &&
      (values.kind === "number" || Number.isInteger(value));
    if (!fits) {
      const noun = values.kind === "integer" ? "a whole number" : "a number";
      expected = `${noun} from ${values.min} to ${values.max}`;
    }
  }
  if (expected !== null) {
    throw new UserError(`--${flagName(name)} needs ${expected}, got ${JSON.stringify(value)}`);
  }
}

function row<T>(
  stage: Hyperparameter<T>["stage"],
  symbol: string,
  help: string,
  source: string,
  values: ValueKind,
  paper: Record<Family, T | null>,
  quick: Record<Family, T | null> = paper,
): Hyperparameter<T> {
  return { stage, symbol, help, source, values, defaults: { paper, quick } };
}

function families<T>(locomotion: T, antmaze: T, maze2d: T): Record<Family, T> {
  return { locomotion, antmaze, maze2d };
}

/** The same value in every family. */
function all<T>(value: T): Record<Family, T> {
  return families(value, value, value);
}

/** The official code's distinction: any task with "maze" in its name, or none. */
function mazes<T>(locomotion: T, maze: T): Record<Family, T> {
  return families(locomotion, maze, maze);
}

function integer(min: number, max: number): ValueKind {
  return { kind: "integer", min, max };
}

function number(min: number, max: number): ValueKind {
  return { kind: "number", min, max };
}

function familiesText(values: Readonly<Record<Family, unknown>>): string {
  const text = (value: unknown) => value === null ? "the paper's for the task" : String(value);
  const { locomotion, antmaze, maze2d } = values;
  if (antmaze === maze2d) {
    return text(locomotion) + (locomotion === antmaze ? "" : `, mazes ${text(antmaze)}`);
  }
  return text(locomotion) + (locomotion === antmaze ? "" : `, antmaze ${text(antmaze)}`) +
    `, maze2d ${text(maze2d)}`;
}
