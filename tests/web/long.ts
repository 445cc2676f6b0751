/**
 * Compares what is trained in headless Chromium with the command line, and runs the gradient checks
 * there: `deno task web:test`. It takes some minutes on SwiftShader, Chromium's software GPU.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { behaviorHyperparameters, trainBehavior } from "../../lib/bandit/behavior.ts";
import { budgets } from "../../lib/bandit/budget.ts";
import { checks, productChecks } from "../../lib/checks/table.ts";
import { findTask } from "../../lib/data/catalog.ts";
import { loadDataset } from "../../lib/data/dataset.ts";
import { readingOptions } from "../../lib/data/own_task.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import { shapeRewards } from "../../lib/data/rewards.ts";
import { drawToy } from "../../lib/data/toy.ts";
import { trainInMemory } from "../../lib/runs/train_in_memory.ts";
import { chromiumTest, webGpuFlags } from "../support/chromium.ts";
import { assertAgree, metricOf, openSite, reportsOf, tableOf } from "./site.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

chromiumTest(
  "gradient checks: all pass in the browser",
  async (browser) => {
    await using site = await openSite(browser);
    const reports = await reportsOf(site.page, { kind: "checks" });
    const measured = reports.flatMap((report) =>
      report.kind === "check" ? [report.measurement] : []
    );
    // Without subgroups, a browser has two variants of the matrix products.
    const cases = [...checks, ...productChecks].reduce((sum, { cases }) => sum + cases.length, 0);
    assertEquals(measured.length, cases);
    assertEquals(
      new Set(measured.map(({ products }) => products)),
      new Set(["registers", "tiled"]),
    );
    assertEquals(measured.filter(({ passed }) => !passed), []);
    assertEquals(site.problems, []);
  },
  webGpuFlags,
);

chromiumTest(
  "maze: the losses of the first 100 steps of each stage are the command line's",
  async (browser) => {
    await using site = await openSite(browser);
    const hyperparameters = { criticSteps: 100, behaviorSteps: 100, policySteps: 100 };
    const reports = await reportsOf(site.page, { kind: "maze", seed: 2, hyperparameters });

    const task = findTask("maze2d-umaze-v1");
    const data = await loadDataset([join(root, "data", task.sample!)], readingOptions(task));
    const h = hyperparametersFor(task, "quick", hyperparameters);
    using engine = await Engine.open();
    const buffer = new ReplayBuffer(engine.gpu, data, shapeRewards(data, srpo.rewardRule(h)));
    const expected = new Map<string, number[]>();
    await trainInMemory({ engine, algorithm: srpo, hyperparameters: h, buffer, seed: 2 }, {
      onStep: (stage, _step, _steps, metrics) => {
        for (const [name, [value]] of Object.entries(metrics)) {
          const key = `${stage} ${name}`;
          expected.set(key, [...expected.get(key) ?? [], value!]);
        }
      },
      shouldStop: () => false,
      between: () => Promise.resolve(),
    });
    buffer.destroy();
    for (const { name, shown } of srpo.stages) {
      for (const metric of shown) {
        assertAgree(metricOf(reports, name, metric), expected.get(`${name} ${metric}`)!, 1e-4);
      }
    }
    assertEquals(tableOf(reports).map(([policy]) => policy), ["SRPO", "AWR"]);
    assertEquals(site.problems, []);
  },
  webGpuFlags,
);

chromiumTest(
  "bandit: the first 100 losses and the final fractions are those of `bandit --quick`",
  async (browser) => {
    const out = await Deno.makeTempDir();
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "cli.ts", "bandit", "--quick", "--out", out],
      cwd: root,
      stderr: "piped",
    }).output();
    assert(code === 0, new TextDecoder().decode(stderr));
    const { policies } = JSON.parse(await Deno.readTextFile(join(out, "8gaussians.json")));
    await Deno.remove(out, { recursive: true });

    const budget = budgets.quick;
    const losses: number[] = [];
    {
      using engine = await Engine.open();
      const points = drawToy("8gaussians", budget.points, 0);
      const h = behaviorHyperparameters(budget.behavior);
      await trainBehavior(engine, { points, states: new Float32Array() }, h, 0, {
        onStep: (_, loss) => losses.push(loss),
        shouldStop: () => losses.length >= 100,
      });
    }

    await using site = await openSite(browser);
    const request = { kind: "bandit", density: "8gaussians", budget, seed: 0 } as const;
    const reports = await reportsOf(site.page, request);
    const found = metricOf(reports, "behavior", "loss");
    assertAgree(found.slice(0, 100), losses.slice(0, 100), 1e-4);
    const score: { inverse_beta: number; in_support: number }[] = policies.filter((
      { method }: { method: string },
    ) => method === "score");
    const table = tableOf(reports);
    assertEquals(table.map(([inverse]) => Number(inverse)), score.map((each) => each.inverse_beta));
    table.forEach(([inverse, fraction], i) => {
      const difference = Math.abs(Number(fraction) - score[i]!.in_support);
      assert(
        difference <= 0.02,
        `1/β = ${inverse}: ${fraction} in the browser, ${score[i]!.in_support} here`,
      );
    });
    assertEquals(site.problems, []);
  },
  webGpuFlags,
);
