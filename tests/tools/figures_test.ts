import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { figureSvg } from "../../lib/report/figure_svg.ts";
import type { Results } from "../../lib/runs/results.ts";
import { writeResults } from "../../lib/runs/results.ts";
import { figure1 } from "../../tools/figures/compared.ts";
import { Runs } from "../../tools/figures/runs.ts";
import { sameLearning } from "../../tools/figures/same_learning.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

function evaluation(policy: string, seed: number, score: number) {
  return {
    stage: "policy",
    policy,
    step: 5,
    seed,
    variant: null,
    episodes: [],
    mean_return: score,
    std_return: 0,
    mean_length: 300,
    score,
    std_score: 0,
    reached_goal: null,
  };
}

const results: Results = {
  algorithm: "srpo",
  task: "maze2d-umaze-v1",
  seeds: [0, 1],
  variants: [],
  finished: true,
  stages: {},
  references: {
    random_return: null,
    expert_return: null,
    data_return: null,
    data_score: null,
    counts_success: false,
  },
  actors: [],
  evaluations: [
    evaluation("awr", 0, 20),
    evaluation("awr", 1, 30),
    evaluation("srpo", 0, 40),
    evaluation("srpo", 1, 60),
  ],
  statistics: [],
  action_latency_ms: { srpo: 0.01, awr: 0.01 },
  action_flops: { srpo: 9000, awr: 9000 },
  pictures: [],
};

Deno.test({
  name: "figures are drawn from finished runs, and left out without them",
  ignore,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    try {
      const runs = new Runs(folder);
      assertEquals([figure1(runs), sameLearning(runs, "base")], [null, null]);
      Deno.mkdirSync(join(folder, "base"));
      await writeResults(join(folder, "base", "results.json"), { ...results, finished: false });
      assertEquals(figure1(runs), null);
      await writeResults(join(folder, "base", "results.json"), results);
      assertEquals(figure1(runs), null);
      const times = { base: { srpo: 0.01, awr: 0.01 } };
      Deno.writeTextFileSync(join(folder, "action_times.json"), JSON.stringify(times));
      const scatter = figureSvg(figure1(runs)!);
      assertStringIncludes(scatter, "SRPO");
      assertStringIncludes(scatter, "seeds 0, 1");
      assertEquals(sameLearning(runs, "base"), null);
      const line = { task: "maze2d-umaze-v1", seed: 7, score: 50 };
      Deno.writeTextFileSync(
        join(folder, "official.jsonl"),
        ["srpo/awr", "srpo"].map((algorithm) => JSON.stringify({ ...line, algorithm })).join("\n"),
      );
      assertStringIncludes(figureSvg(sameLearning(runs, "base")!), "official code: seeds 7");
      const untimed = figureSvg(figure1(runs)!);
      assertEquals(untimed, scatter);
      const timed = JSON.stringify({ ...line, algorithm: "srpo", action_ms: 0.1 });
      Deno.writeTextFileSync(join(folder, "official.jsonl"), timed);
      assertStringIncludes(figureSvg(figure1(runs)!), "official code (PyTorch): seeds 7");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
