/**
 * `data check`: whether the steps of a data set are those of the simulator, and its logged
 * log-probabilities those of the behavior policy that it carries.
 *
 * @module
 */
import { logProbabilities, readBehaviorPolicy } from "../data/behavior_policy.ts";
import { type OfflineDataset, readDataset } from "../data/dataset.ts";
import { D4rlFile } from "../data/hdf5.ts";
import { readingOptions } from "../data/own_task.ts";
import { resolveData } from "../data/resolve.ts";
import { environments } from "../envs/ids.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { stateReader } from "../envs/tasks.ts";
import { type RecordedStep, replay } from "../envs/replay.ts";
import { UserError } from "../errors.ts";
import { formatTable } from "../report/table.ts";
import { integer, parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data check",
  summary:
    "Replays steps of a data set in the simulator and reports how far the file's next states are " +
    "from the simulator's, for each physics profile. Compares logged log-probabilities with the " +
    "behavior policy in the file, if it carries one. The exit code is 1 if they do not agree.",
  positionals: [{ name: "data", help: "An HDF5 file in D4RL's format, or a task name" }],
  flags: {
    task: text("D4RL task or built-in environment whose physics is used", {
      valueName: "TASK",
      shown: "the task named in the file",
    }),
    rows: integer("Largest number of steps to replay, spread evenly over the file", {
      min: 1,
      max: 1e8,
      fallback: 2000,
    }),
    json: toggle("Print one JSON object instead of text"),
  },
} as const;

/** The physics of the built-in environments. */
const profiles = ["mjpy", "mj22"] as const;

/**
 * Largest relative error, at the 99 % quantile, of steps that count as the simulator's. Steps of
 * the same physics differ by 1e-5 or less, because observations are float32, and those of the other
 * profile by 1e-2 to 1e-1 (docs/data.md).
 */
const sameStep = 1e-4;

/** Largest difference of log-probabilities, at the 99 % quantile, that counts as rounding. */
const sameLogProbability = 1e-2;

/** Quantiles of errors. */
interface Errors {
  readonly median: number;
  readonly q99: number;
  readonly max: number;
}

/** The output of `--json`. */
interface Check {
  readonly file: string;
  readonly environment: string;
  readonly profile: string;
  readonly states: "infos" | "observations";
  readonly rows: number;
  readonly replayed: number;
  readonly physics: Readonly<
    Record<string, { readonly largest: number; readonly relative: Errors; readonly same: boolean }>
  >;
  readonly log_probabilities: (Errors & { readonly same: boolean }) | null;
}

/**
 * Checks a data set.
 *
 * @returns Exit code 1 if the steps are not those of the task's physics, or the log-probabilities
 * not those of the policy.
 * @throws {UserError} If a flag is invalid, the file is not readable, the environment is unknown,
 * or the data do not determine the simulator's states.
 */
export async function dataCheck(args: readonly string[]): Promise<number | void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const what = parsed.positionals[0]!;
  const given = parsed.flags.task;
  const isTask = given === undefined || !environments.has(given);
  const { task, paths, recorded } = await resolveData(what, isTask ? given : undefined);
  if (paths.length > 1) throw new UserError("data check takes one file at a time");
  const path = paths[0]!;
  const environment = given ?? task?.name ?? recorded;
  if (environment === null || !environments.has(environment)) {
    throw new UserError(
      `${path}: ${
        environment === null ? "the file names no task" : `${environment} is not built in`
      }; name a built-in environment with --task, for example --task hopper-medium-v2`,
    );
  }
  const dataset = await readDataset([path], task === null ? {} : readingOptions(task));
  const file = await D4rlFile.open(path);
  try {
    const rows = sample(comparableRows(dataset, file), parsed.flags.rows);
    const found = await checkFile(file, dataset, environment, rows);
    console.log(parsed.flags.json ? JSON.stringify(found) : report(found));
    const { physics, profile, log_probabilities: logged } = found;
    return physics[profile]!.same && logged?.same !== false ? 0 : 1;
  } finally {
    file.close();
  }
}

/** Returns the rows whose next observation is known. */
function comparableRows(dataset: OfflineDataset, file: D4rlFile): Uint32Array {
  if (file.has("next_observations")) return Uint32Array.from({ length: dataset.rows }, (_, i) => i);
  return dataset.transitions.filter((row) => dataset.terminals[row] === 0);
}

/** Returns at most `count` of the rows, evenly spread. */
function sample(rows: Uint32Array, count: number): number[] {
  const taken = Math.min(count, rows.length);
  return Array.from({ length: taken }, (_, i) => rows[Math.floor(i * rows.length / taken)]!);
}

async function checkFile(
  file: D4rlFile,
  dataset: OfflineDataset,
  environment: string,
  rows: readonly number[],
): Promise<Check> {
  const states = file.has("infos/qpos") && file.has("infos/qvel") ? "infos" : "observations";
  const steps = recordedSteps(file, dataset, environment, states, rows);
  if (steps.length === 0) {
    throw new UserError(
      `${file.path}: no step to replay: the observations do not determine the states (clipped ` +
        "velocities), and there are no infos/qpos and infos/qvel",
    );
  }
  const physics: Record<string, Check["physics"][string]> = {};
  for (const profile of profiles) {
    const batch = await makeEnvironment(environment, 1, { profile });
    try {
      const { observationSize, actionSize } = batch.spec;
      if (dataset.observationSize !== observationSize || dataset.actionSize !== actionSize) {
        throw new UserError(
          `${file.path}: each row has ${dataset.observationSize} observation and ` +
            `${dataset.actionSize} action entries, but ${environment} has ${observationSize} and ` +
            `${actionSize}`,
        );
      }
      const { largest, relative } = await replay(batch, steps);
      const errors = errorsOf(relative);
      physics[profile] = { largest, relative: errors, same: errors.q99 <= sameStep };
    } finally {
      await batch.close();
    }
  }
  return {
    file: file.path,
    environment,
    profile: environments.get(environment)!.profile,
    states,
    rows: dataset.rows,
    replayed: steps.length,
    physics,
    log_probabilities: checkLogProbabilities(file, dataset, rows),
  };
}

/** Returns the steps of `rows` whose state is known. */
function recordedSteps(
  file: D4rlFile,
  dataset: OfflineDataset,
  environment: string,
  states: Check["states"],
  rows: readonly number[],
): RecordedStep[] {
  const reader = stateReader(environment);
  const matrix = (name: string) => {
    const [length, columns = 1] = file.layout(name).shape;
    if (length !== file.rows) {
      throw new UserError(`${file.path}: ${name} has ${length} rows, expected ${file.rows}`);
    }
    const values = new Float64Array(file.rows * columns);
    file.read(name, values);
    return { values, columns };
  };
  const infos = states === "infos" ? [matrix("infos/qpos"), matrix("infos/qvel")] as const : null;
  const next = file.has("next_observations") ? matrix("next_observations") : null;
  const { observations, observationSize, actions, actionSize } = dataset;
  const rowOf = (values: ArrayLike<number>, columns: number, row: number) =>
    Float64Array.from({ length: columns }, (_, i) => values[row * columns + i]!);
  return rows.flatMap((row) => {
    const observation = rowOf(observations, observationSize, row);
    const state = infos === null ? reader(observation) : {
      qpos: rowOf(infos[0].values, infos[0].columns, row),
      qvel: rowOf(infos[1].values, infos[1].columns, row),
    };
    if (state === null) return [];
    return [{
      state,
      observation,
      action: rowOf(actions, actionSize, row),
      next: next === null
        ? rowOf(observations, observationSize, row + 1)
        : rowOf(next.values, next.columns, row),
    }];
  });
}

/** Compares logged log-probabilities with the policy's; null if the file lacks one of them. */
function checkLogProbabilities(
  file: D4rlFile,
  { observations, observationSize, actions, actionSize }: OfflineDataset,
  rows: readonly number[],
): Check["log_probabilities"] {
  const policy = file.has(logProbabilities) ? readBehaviorPolicy(file) : null;
  if (policy === null) return null;
  const logged = new Float64Array(file.rows);
  if (file.layout(logProbabilities).shape.reduce((a, b) => a * b, 1) !== file.rows) {
    throw new UserError(`${file.path}: ${logProbabilities} should have one number per row`);
  }
  file.read(logProbabilities, logged);
  const gather = (values: Float32Array, columns: number) =>
    Float32Array.from(
      rows.flatMap((row) => [...values.subarray(row * columns, (row + 1) * columns)]),
    );
  const computed = policy.logProbabilities(
    gather(observations, observationSize),
    gather(actions, actionSize),
    rows.length,
  );
  const errors = errorsOf(computed.map((value, i) => Math.abs(value - logged[rows[i]!]!)).sort());
  return { ...errors, same: errors.q99 <= sameLogProbability };
}

/** @param sorted Ascending. */
function errorsOf(sorted: Float64Array): Errors {
  const at = (share: number) => sorted[Math.ceil(share * (sorted.length - 1))]!;
  return { median: at(0.5), q99: at(0.99), max: at(1) };
}

function report(found: Check): string {
  const { physics, profile, environment, log_probabilities: logged } = found;
  const short = (value: number) => value.toExponential(1);
  const source = found.states === "infos" ? "infos/qpos and infos/qvel" : "the observations";
  const same = profiles.filter((each) => physics[each]!.same);
  return [
    `file         ${found.file}`,
    `replayed     ${found.replayed} of ${found.rows} steps in ${environment}, from ${source}`,
    "",
    formatTable(
      ["physics", "median", "99 %", "max", "largest difference"],
      profiles.map((each) => {
        const { relative, largest } = physics[each]!;
        return [each, ...[relative.median, relative.q99, relative.max, largest].map(short)];
      }),
    ),
    "",
    "median, 99 %, max: error of the next state, relative to the size of a step; largest",
    "difference: of an observation's entry",
    "",
    verdict(same, profile, environment),
    ...(logged === null ? [] : [
      `The logged log-probabilities ${
        logged.same ? "are" : "are NOT"
      } those of the policy in the ` +
      `file: median difference ${short(logged.median)}, 99 % ${short(logged.q99)}, max ${
        short(logged.max)
      }.`,
    ]),
  ].join("\n");
}

function verdict(same: readonly string[], profile: string, environment: string): string {
  if (same.length === profiles.length) {
    return "The steps are those of the simulator; both profiles give the same ones here.";
  }
  if (same.length === 0) {
    return `The steps are NOT those of ${environment} under any profile.`;
  }
  return same[0] === profile
    ? `The steps are those of ${profile}, the physics behind ${environment}'s published results.`
    : `The steps are those of ${same[0]}, NOT of ${profile}, the physics behind ${environment}'s ` +
      "published results.";
}
