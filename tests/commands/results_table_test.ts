import { assertEquals, assertStringIncludes } from "@std/assert";
import { atLatestStep, lastEvaluations, resultTables } from "../../lib/commands/results_table.ts";
import { evaluationStatistics } from "../../lib/commands/train_evaluation.ts";
import type { EvaluationRow } from "../../lib/runs/results.ts";

const actors = [{ stage: "policy", policy: "srpo", title: "SRPO" }];

function evaluation(seed: number, step: number, score: number): EvaluationRow {
  return {
    ...{ stage: "policy", policy: "srpo", step, seed, variant: null },
    ...{ mean_return: 10 * score, std_return: 1, mean_length: 5, score, std_score: 0.1 },
    ...{ reached_goal: null, episodes: [] },
  };
}

const evaluations = [
  ...[evaluation(0, 50, 1), evaluation(1, 50, 2), evaluation(2, 50, 90)],
  ...[evaluation(0, 100, 30), evaluation(1, 100, 50)],
];

Deno.test("evaluationStatistics() averages the last evaluations of the latest step", () => {
  const last = lastEvaluations(evaluations, "policy");
  assertEquals(last.map(({ seed, step }) => [seed, step]), [[0, 100], [1, 100], [2, 50]]);
  assertEquals(atLatestStep(last).map(({ seed }) => seed), [0, 1]);
  const [statistics] = evaluationStatistics(evaluations, actors);
  assertEquals([statistics!.seeds, statistics!.values, statistics!.mean], [[0, 1], [30, 50], 40]);
});

Deno.test("resultTables() names the seeds that are left out of the statistics", () => {
  const tables = (seeds: readonly number[]) => {
    const own = evaluations.filter(({ seed }) => seeds.includes(seed));
    return resultTables({
      ...{ algorithm: "srpo", task: "hopper-medium-v2", seeds, variants: [], finished: false },
      ...{ stages: {}, actors, evaluations: own, pictures: [] },
      ...{ action_latency_ms: {}, action_flops: {} },
      statistics: evaluationStatistics(own, actors),
      references: {
        ...{ random_return: -20, expert_return: 3234, data_return: 1422, data_score: 44.3 },
        counts_success: false,
      },
    });
  };
  const note = "Seeds without an evaluation at the latest step are left out";
  assertStringIncludes(tables([0, 1, 2]), `${note}: SRPO 2.`);
  assertEquals(tables([0, 1]).includes(note), false);
});
