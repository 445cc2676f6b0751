/**
 * Compares the policies of finished runs seed by seed: `deno run -A bench/paired.ts RUN…`.
 *
 * Each policy, and each variant of a sweep, is compared with the run's last one, for example SRPO's
 * with the critic's own, on the seeds that have both. Runs of the same algorithm and task are taken
 * together.
 *
 * @module
 */
import { UserError } from "../lib/errors.ts";
import { bootstrapInterval, statisticsOf } from "../lib/report/statistics.ts";
import { formatTable } from "../lib/report/table.ts";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { readResults, type Results } from "../lib/runs/results.ts";
import { join } from "node:path";

/** Last scores by seed. */
type Scores = Map<number, number>;

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function resultsOf(run: string): Results {
  const results = readResults(join(run, "results.json"));
  if (!results?.finished) throw new UserError(`${run} is not finished; continue it with --resume`);
  return results;
}

/** Returns the last scores of each policy, in the order of the stages. */
function scoresOf(runs: readonly Results[]): Map<string, Scores> {
  const scores = new Map<string, Scores>();
  for (const { actors, evaluations } of runs) {
    for (const { policy, title } of actors) {
      for (const { policy: played, variant, seed, score } of evaluations) {
        if (played !== policy || score === null) continue;
        const name = variant === null ? title : `${title} ${variant}`;
        scores.set(name, (scores.get(name) ?? new Map()).set(seed, score));
      }
    }
  }
  return scores;
}

function table(runs: readonly Results[]): string {
  const scores = scoresOf(runs);
  const [last, own] = [...scores].at(-1)!;
  const rows = [...scores].map(([title, seeds]) => {
    const values = [...seeds.values()];
    const { mean: center, std } = statisticsOf(values);
    const both = [...own.keys()].filter((seed) => seeds.has(seed));
    const differences = both.map((seed) => own.get(seed)! - seeds.get(seed)!);
    const compared = title !== last && both.length > 1;
    const [low, high] = compared ? bootstrapInterval(differences, mean) : [0, 0];
    return [
      title,
      values.map((value) => value.toFixed(1)).join(" "),
      `${center.toFixed(1)} ± ${std.toFixed(1)}`,
      compared ? `${mean(differences).toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})` : "–",
      !compared ? "" : low > 0 ? `${last} is ahead` : high < 0 ? `${last} is behind` : "undecided",
    ];
  });
  const seeds = [...own.keys()].join(", ");
  return `${runs[0]!.algorithm} on ${runs[0]!.task}, seeds ${seeds}\n` + formatTable(
    ["policy", "score per seed", "mean ± std", `${last} minus it, 95 % interval`, ""],
    rows,
  );
}

function paired(paths: readonly string[]): void {
  if (paths.length === 0) throw new UserError("usage: deno run -A bench/paired.ts RUN…");
  const groups = Map.groupBy(
    paths.map(resultsOf),
    ({ algorithm, task }) => `${algorithm} ${task}`,
  );
  console.log([...groups.values()].map(table).join("\n\n"));
  console.log(
    "D4RL score: mean ± standard deviation over the seeds. The interval is a bootstrap interval of " +
      "the mean\nof the paired differences.",
  );
}

const command = { summary: "compare policies seed by seed", load: () => Promise.resolve(paired) };
if (import.meta.main) {
  Deno.exit(await runCommandLine({ paired: command }, ["paired", ...Deno.args]));
}
