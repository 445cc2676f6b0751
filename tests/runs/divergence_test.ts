import { assert, assertEquals, assertMatch } from "@std/assert";
import { algorithms } from "../../lib/algorithms/registry.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { DivergenceWatch } from "../../lib/runs/divergence.ts";
import { runIn, setUp, tiny } from "./tiny_run.ts";

const values = { metrics: ["q_mean"], discount: "discount", advice: "Lower --expectile." };
const replicas = [{ seed: 4, variant: null }, { seed: 5, variant: "beta-0.1" }];

Deno.test("DivergenceWatch warns once per replica, beyond 1.25 max |r| / (1 − γ)", () => {
  const watch = new DivergenceWatch(values, { discount: 0.99 }, 2, replicas);
  assertEquals(watch.check("critic", 1, { q_mean: [200, -249] }), []);
  assertEquals(watch.check("critic", 2, { loss: [1e9, 1e9] }), []);
  assertEquals(watch.check("critic", 3000, { q_mean: [12, -251] }), [
    "warning  critic, seed 5 beta-0.1: q_mean is -251 at step 3,000, but rewards of at most ±2 " +
    "and a discount of 0.99 allow no value beyond ±200. Lower --expectile.",
  ]);
  assertEquals(watch.check("critic", 3001, { q_mean: [12, -252] }), []);
  assertEquals(watch.check("critic", 3002, { q_mean: [251, -252] }).length, 1);
});

Deno.test("DivergenceWatch tolerates the outputs of an untrained network if rewards are tiny", () => {
  const watch = new DivergenceWatch(values, { discount: 0.9 }, 1e-4, replicas);
  assertEquals(watch.check("critic", 1, { q_mean: [0.3, -0.9] }), []);
});

Deno.test("algorithms: every one bounds its values, by a discount that it has", () => {
  for (const { name, stages, hyperparameters } of algorithms.values()) {
    const bounded = stages.flatMap(({ bounded }) => bounded ?? []);
    assert(bounded.length > 0, name);
    for (const { discount, advice } of bounded) {
      assert(hyperparameters.names.includes(discount), name);
      // The advice names flags that exist.
      for (const [, flag] of advice.matchAll(/--([a-z-]+)/g)) {
        assert(
          hyperparameters.names.some((each) => hyperparameters.flagName(each) === flag),
          `${name}: --${flag}`,
        );
      }
    }
  }
});

const granted = ["read", "write"].every((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state === "granted"
);
Deno.test({
  name: "trainStages() reports a critic that diverges, and no critic that does not",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      for (const criticLearningRate of [3e-4, 1]) {
        const said: string[] = [];
        await trainStages(runIn(`${root}/${criticLearningRate}`, machine, {
          stages: ["critic"],
          hyperparameters: hyperparametersFor("maze2d", "quick", {
            ...tiny,
            discount: 0.5,
            criticLearningRate,
          }),
          announce: (line) => said.push(line),
        }));
        const warnings = said.filter((line) => line.startsWith("warning"));
        if (criticLearningRate < 1) assertEquals(warnings, []);
        else assertMatch(warnings.join("\n"), /critic, seed 3: [qv]_mean is .* beyond ±1\.8\./);
      }
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});
