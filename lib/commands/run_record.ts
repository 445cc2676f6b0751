/**
 * Reads the directory of a finished or unfinished run, for `runs` and `report`.
 *
 * @module
 */
import { join } from "node:path";
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithms, findAlgorithm } from "../algorithms/registry.ts";
import type { Task } from "../data/catalog.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import type { RunConfig } from "../runs/config.ts";
import { RunDirectory } from "../runs/directory.ts";
import { runId } from "../runs/identity.ts";
import { type MetricsRow, readMetrics } from "../runs/metrics.ts";
import {
  type EvaluatedActor,
  type EvaluationRow,
  evaluationsOf,
  readResults,
  type Results,
} from "../runs/results.ts";
import { taskOfRun } from "../runs/run_task.ts";
import { evaluatedActors } from "./train_evaluation.ts";

/** A run as found on disk. */
export interface RunRecord {
  /** The run directory. */
  readonly directory: RunDirectory;
  /** The last part of the directory's path. */
  readonly name: string;
  /** Its settings. */
  readonly config: RunConfig;
  /** Its algorithm. */
  readonly algorithm: Algorithm;
  /** Its task. */
  readonly task: Task;
  /** The actors that are evaluated. */
  readonly actors: readonly EvaluatedActor[];
  /** When its first process began. */
  readonly begun: Date;
  /** Every process that trained it: the version and arguments of `train`. */
  readonly processes: readonly { readonly version: string; readonly args: string }[];
  /** `results.json`; null if no process has ended yet. */
  readonly results: Results | null;
  /** Whether all stages and evaluations are complete. */
  readonly finished: boolean;
  /** All lines of `metrics.jsonl`. */
  readonly rows: readonly MetricsRow[];
  /** All evaluations. */
  readonly evaluations: readonly EvaluationRow[];
}

/**
 * Reads a run directory.
 *
 * @throws {UserError} If it is not a run directory, or one of its files is invalid.
 */
export function readRun(
  path: string,
  known: ReadonlyMap<string, Algorithm> = algorithms,
): RunRecord {
  const directory = new RunDirectory(path.replace(/(?<=.)\/+$/, ""));
  const config = directory.readConfig();
  const algorithm = findAlgorithm(config.algorithm, known);
  const task = taskOfRun(config);
  const actors = evaluatedActors(algorithm, task);
  const id = runId(config);
  const results = readResults(directory.results, id);
  const rows = readMetrics(directory.metrics, id);
  const { begun, processes } = readLog(directory);
  return {
    directory,
    name: directory.path.split(/[/\\]/).at(-1)!,
    config,
    algorithm,
    task,
    actors,
    begun,
    processes,
    results,
    finished: results?.finished ?? false,
    rows,
    evaluations: evaluationsOf(rows, actors),
  };
}

/** A run directory that cannot be read. */
export interface UnreadableRun {
  /** The error. */
  readonly error: string;
}

/**
 * Reads the runs in a folder, the earliest first. Folders that are not runs are left out; of a run
 * that cannot be read, the error is returned.
 *
 * @throws {UserError} If the folder cannot be read.
 */
export function readRuns(folder: string): (RunRecord | UnreadableRun)[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(folder)].filter(({ isFile, name }) => !isFile && name[0] !== ".")
      .map(({ name }) => name);
  } catch (error) {
    throw new UserError(
      error instanceof Deno.errors.NotFound
        ? `there is no folder ${folder}; \`train\` makes one with its runs`
        : `cannot read the folder ${folder}: ${
          (error as Error).message
        }; expected a folder of runs`,
    );
  }
  const found = names.sort().flatMap((name): (RunRecord | UnreadableRun)[] => {
    const path = join(folder, name);
    try {
      return isFile(new RunDirectory(path).config) ? [readRun(path)] : [];
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return [{ error: error.message }];
    }
  });
  const time = (run: RunRecord | UnreadableRun) => "begun" in run ? run.begun.getTime() : Infinity;
  return found.sort((a, b) => time(a) - time(b));
}

/** Returns the progress of a run: `finished`, or its first unfinished stage and how far that is. */
export function progressOf({ config, algorithm, rows, finished }: RunRecord): string {
  if (finished) return "finished";
  const stepsOf = (stage: string) => {
    const definition = algorithm.stages.find(({ name }) => name === stage);
    return Number(config.hyperparameters[definition?.steps ?? ""]);
  };
  // Evaluations may be of earlier steps, or of stages that another run has trained.
  const latest = config.stages.flatMap((stage) =>
    rows.findLast((row) => row.episodes === null && row.stage === stage) ?? []
  );
  const last = latest.find(({ stage, step }) => step < stepsOf(stage)) ?? latest.at(-1);
  if (last === undefined) return "no step yet";
  const steps = stepsOf(last.stage);
  const stage = config.stages.indexOf(last.stage) + 1;
  const percent = Number.isFinite(steps) ? `, ${Math.floor((100 * last.step) / steps)} %` : "";
  return `${last.stage}${percent} (stage ${stage} of ${config.stages.length})`;
}

/**
 * Returns the first time in the log and its commands. A run that was copied without its log has the
 * time of its configuration.
 */
function readLog({ log, config }: RunDirectory): Pick<RunRecord, "begun" | "processes"> {
  let lines: string[];
  try {
    lines = Deno.readTextFileSync(log).split("\n");
  } catch {
    lines = [];
  }
  const first = Date.parse(lines[0]?.split(" ", 1)[0] ?? "");
  return {
    begun: Number.isNaN(first) ? Deno.statSync(config).mtime ?? new Date(0) : new Date(first),
    processes: lines.flatMap((line) => {
      const [, version, args] = /^\S+ {2}srpo-webgpu (\S+): train ?(.*)$/.exec(line) ?? [];
      return version === undefined ? [] : [{ version, args: args! }];
    }),
  };
}
