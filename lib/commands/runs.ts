/**
 * `runs`: lists the runs in a folder.
 *
 * @module
 */
import { formatTable } from "../report/table.ts";
import { seedsLabel } from "../runs/directory.ts";
import { fitted } from "../terminal.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";
import { progressOf, readRuns, type RunRecord } from "./run_record.ts";
import { evaluationStatistics } from "./train_evaluation.ts";

const command = {
  name: "runs",
  summary:
    "Lists the runs in a folder: task, algorithm, seeds, when they began, the score of their " +
    "last evaluation, and how far they are.",
  positionals: [{ name: "folder", optional: true, help: "Folder of runs; runs by default" }],
  flags: {
    json: toggle("Print one JSON object per run"),
  },
} as const;

/** Prints the runs in a folder, the earliest first. */
export function listRuns(args: readonly string[]): void {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const folder = parsed.positionals[0] ?? "runs";
  const found = readRuns(folder);
  const runs = found.filter((run) => "config" in run);
  const unreadable = found.filter((run) => "error" in run);
  if (parsed.flags.json) {
    for (const run of runs) console.log(JSON.stringify(lineOf(run)));
  } else if (runs.length === 0) {
    console.log(`no runs in ${folder}; \`train\` makes one`);
  } else {
    console.log(formatTable(
      ["run", "task", "algorithm", "seeds", "begun", "score", "progress"],
      runs.map(lineOf).map(({ run, task, algorithm, seeds, begun, score, progress }) => [
        run,
        task,
        algorithm,
        seedsLabel(seeds),
        begun.slice(0, 16).replace("T", " "),
        score === null ? "–" : scoreText(score),
        progress,
      ]),
    ));
    console.log(
      "\nThe score is the mean over the seeds of each seed's last evaluation, of the best variant " +
        "if\nthere are several. Times are UTC.",
    );
  }
  for (const { error } of unreadable) console.error(fitted(`note: ${error}`, Deno.stderr));
}

/** The last evaluations of a run's last evaluated stage. */
export interface Score {
  readonly quantity: "score" | "return";
  readonly mean: number;
  /** Null for a single seed. */
  readonly std: number | null;
  readonly stage: string;
  readonly variant: string | null;
}

function lineOf(run: RunRecord) {
  const { directory, config, algorithm, begun } = run;
  return {
    run: directory.path,
    task: config.task,
    algorithm: algorithm.name,
    seeds: config.seeds,
    begun: begun.toISOString(),
    score: scoreOf(run),
    finished: run.finished,
    progress: progressOf(run),
  };
}

/** Returns the last score of a run, of its best variant; null if nothing is evaluated yet. */
export function scoreOf({ actors, evaluations }: RunRecord): Score | null {
  const all = evaluationStatistics(evaluations, actors);
  const stage = all.at(-1)?.stage;
  const last = all.filter((each) => each.stage === stage);
  if (last.length === 0) return null;
  const { quantity, mean, std, variant, values } = last.reduce((a, b) => b.mean > a.mean ? b : a);
  return { quantity, mean, std: values.length > 1 ? std : null, stage: stage!, variant };
}

/** Formats a score for a table. */
export function scoreText({ quantity, mean, std, variant }: Score): string {
  const unit = quantity === "return" ? " return" : "";
  const spread = std === null ? "" : ` ± ${std.toFixed(1)}`;
  return `${mean.toFixed(1)}${spread}${unit}${variant === null ? "" : ` (${variant})`}`;
}
