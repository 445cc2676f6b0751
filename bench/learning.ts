/**
 * Compares what this program learns with what the official codes learn, over seeds: `deno run -A
 * bench/learning.ts OFFICIAL.jsonl RUN…`.
 *
 * OFFICIAL.jsonl holds the lines that `bench/peers/learning/official.py` prints. Every RUN is a run
 * directory, of which the last score of every seed of the algorithm's own actor counts, or the
 * output of `eval --json` for one seed (`….json`). Scores are compared per algorithm and task.
 *
 * @module
 */
import { UserError } from "../lib/errors.ts";
import { bootstrapDifference, statisticsOf } from "../lib/report/statistics.ts";
import { formatTable } from "../lib/report/table.ts";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { join } from "node:path";

/**
 * Points of D4RL score within which two algorithms count as equal. It was fixed before anything was
 * compared.
 */
const margin = 10;

/** Seeds per side below which no verdict is given: scores vary too much between seeds. */
const minSeeds = 6;

/** Scores of one side, one per seed, by algorithm and task. */
type Scores = Map<string, number[]>;

function officialScores(path: string): Scores {
  const scores: Scores = new Map();
  for (const line of Deno.readTextFileSync(path).split("\n").filter(Boolean)) {
    const { algorithm, task, score } = JSON.parse(line);
    collect(scores, `${algorithm} ${task}`, score);
  }
  return scores;
}

/** The scores of runs, and of evaluations of their seeds, by algorithm and task. */
function ourScores(paths: readonly string[]): Scores {
  const scores: Scores = new Map();
  for (const path of paths) {
    if (path.endsWith(".json")) {
      const { policy, task, score } = JSON.parse(Deno.readTextFileSync(path));
      collect(scores, `${policy} ${task}`, score);
      continue;
    }
    const results = JSON.parse(Deno.readTextFileSync(join(path, "results.json")));
    if (!results.finished) {
      throw new UserError(`${path} is not finished; continue it with --resume`);
    }
    // The last actor is the algorithm's own; others are named after it.
    results.actors.forEach(({ policy }: { policy: string }, i: number) => {
      const own = i === results.actors.length - 1;
      const name = own ? results.algorithm : `${results.algorithm}/${policy}`;
      const bySeed = new Map<number, number>();
      for (const evaluation of results.evaluations) {
        if (evaluation.policy === policy) bySeed.set(evaluation.seed, evaluation.score);
      }
      for (const score of bySeed.values()) collect(scores, `${name} ${results.task}`, score);
    });
  }
  return scores;
}

function collect(scores: Scores, key: string, score: number): void {
  scores.set(key, [...scores.get(key) ?? [], score]);
}

function row(key: string, ours: readonly number[], official: readonly number[]): string[] {
  const side = (values: readonly number[]) => {
    const { mean, std } = statisticsOf(values);
    return `${mean.toFixed(1)} ± ${std.toFixed(1)} (${values.length})`;
  };
  const [low, high] = bootstrapDifference(ours, official);
  return [
    ...key.split(" "),
    side(ours),
    side(official),
    `${low.toFixed(1)} to ${high.toFixed(1)}`,
    verdict(low, high, Math.min(ours.length, official.length)),
  ];
}

function verdict(low: number, high: number, seeds: number): string {
  if (seeds < minSeeds) return "too few seeds";
  // The margin comes first: a difference inside it may be certain, and does not count.
  if (low > -margin && high < margin) return "equal";
  return low > 0 || high < 0 ? "different" : "undecided";
}

function learning(args: readonly string[]): void {
  const [path, ...runs] = args;
  if (path === undefined || runs.length === 0) {
    throw new UserError("usage: deno run -A bench/learning.ts OFFICIAL.jsonl RUN…");
  }
  const official = officialScores(path);
  const rows = [...ourScores(runs)].flatMap(([key, ours]) => {
    const theirs = official.get(key);
    return theirs ? [row(key, ours, theirs)] : [];
  });
  const headings = ["algorithm", "task", "this program", "official code", "difference", ""];
  console.log(formatTable(headings, rows));
  console.log(
    "D4RL score: mean ± standard deviation (number of seeds); 95 % bootstrap interval of the " +
      `difference of means.\n"equal" if the interval lies within ±${margin} points; no verdict below ${minSeeds} seeds per side.`,
  );
}

const command = { summary: "compare learned scores", load: () => Promise.resolve(learning) };
if (import.meta.main) {
  Deno.exit(await runCommandLine({ learning: command }, ["learning", ...Deno.args]));
}
