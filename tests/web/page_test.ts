/** Tests the page that trains in a browser, with budgets that take seconds. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { Engine } from "../../lib/autodiff/engine.ts";
import type { BanditBudget } from "../../lib/bandit/budget.ts";
import { runBandit } from "../../lib/bandit/experiment.ts";
import { chromiumTest, webGpuFlags } from "../support/chromium.ts";
import { assertAgree, metricOf, openSite, reportsOf, tableOf } from "./site.ts";

const network = { width: 16, blocks: 1, batch: 32, learningRate: 3e-3 } as const;

/** A budget for a software GPU in a browser. */
const budget: BanditBudget = {
  points: 5000,
  behavior: { ...network, steps: 100 },
  policy: { ...network, steps: 1 },
  vae: { steps: 1, batch: 16 },
  grid: { half: 4.8, cells: 8 },
  solverSteps: 2,
  targets: 7,
  point: { steps: 10, draws: 2 },
};

const ignore = (["run", "read", "write", "env"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

Deno.test({
  name: "buildWeb(): the scripts contain nothing of Deno or Node, and every shader as it is",
  ignore,
  fn: async () => {
    const { buildWeb } = await import("../../tools/web.ts"); // esbuild reads environment variables.
    const folder = await Deno.makeTempDir();
    try {
      await buildWeb(folder);
      let scripts = "";
      for await (const { name } of Deno.readDir(folder)) {
        if (!name.endsWith(".js")) continue;
        const code = await Deno.readTextFile(join(folder, name));
        assert(!code.includes("Deno."), `${name} uses Deno`);
        // Imports of other files, except in the branch for Node of MuJoCo's script.
        const others = [...code.matchAll(/\b(?:from|import)\s*\(?"([@\w][\w:/.-]*)"/g)]
          .map(([, module]) => module);
        assertEquals(others.filter((module) => module !== "module"), [], name);
        scripts += code;
      }
      // The longest line of a shader stays as it is in the bundle, unless it has to be escaped there.
      for await (const { name } of Deno.readDir(new URL("../../shaders/", import.meta.url))) {
        if (name.startsWith("roofline_")) continue;
        const shader = await Deno.readTextFile(new URL(`../../shaders/${name}`, import.meta.url));
        const line = shader.split("\n").filter((line) => !/[`\\$]/.test(line))
          .reduce((a, b) => b.length > a.length ? b : a);
        assert(scripts.includes(line), `${name} is missing`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

chromiumTest(
  "page: shows the bandit, pauses, stops, and trains it as the command line does",
  async (browser) => {
    await using site = await openSite(browser);
    const { page, problems } = site;
    page.setDefaultTimeout(120_000);
    assertEquals(await page.textContent("h1"), "SRPO in your browser");
    await page.click("#bandit-start");
    assertEquals(await page.isDisabled("#maze-start"), true, "two tasks can be started");
    await page.waitForSelector("#bandit-panels svg");
    assertEquals(await page.locator("#bandit-panels svg").count(), 9);
    // The variant with subgroups does not compile in browsers, and is left out.
    const gpu = await page.textContent("#gpu") ?? "";
    assertStringIncludes(
      gpu,
      "swiftshader, a software GPU; matrix products: registers (measured: r",
    );
    assert(!gpu.includes("subgroups"), gpu);
    await page.click("#bandit-pause");
    assertEquals(await page.textContent("#bandit-pause"), "Continue");
    await page.click("#bandit-stop");
    await page.waitForFunction(() =>
      // deno-lint-ignore no-explicit-any
      (globalThis as any).document.getElementById("bandit-status").textContent === "Stopped."
    );
    assertEquals(await page.isDisabled("#maze-start"), false);

    const reports = await reportsOf(page, { kind: "bandit", density: "moons", budget, seed: 3 });
    const losses: number[] = [];
    using engine = await Engine.open();
    const expected = await runBandit(engine, "moons", budget, 3, {
      onStep: (part, _step, _steps, loss) => part === "behavior" && loss && losses.push(loss),
    });
    assertEquals(losses.length, 100);
    assertAgree(metricOf(reports, "behavior", "loss"), losses, 1e-4);
    const fractions = expected!.policies.filter(({ method }) => method === "score");
    assertEquals(
      tableOf(reports),
      fractions.map(({ inverseBeta, scores }) => [
        String(inverseBeta),
        scores.inSupport.toFixed(3),
      ]),
    );
    const panels = reports.filter(({ kind }) => kind === "panels");
    assert(panels.length >= 2, "the picture does not grow");
    assertEquals(problems, []);
  },
  webGpuFlags,
);

chromiumTest("page: without WebGPU says what is needed", async (browser) => {
  await using site = await openSite(browser);
  const { page } = site;
  await page.click("#maze-link");
  await page.click("#maze-start");
  await page.waitForSelector("#maze-error:not([hidden])");
  assertStringIncludes(
    await page.textContent("#maze-error") ?? "",
    "no WebGPU adapter was found. Use a recent version of a browser with WebGPU",
  );
});
