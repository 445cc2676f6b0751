import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { groupsOf, scoresOf } from "../../lib/commands/report_series.ts";
import { readRun } from "../../lib/commands/run_record.ts";
import { UserError } from "../../lib/errors.ts";
import { interquartileMean } from "../../lib/report/statistics.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { chromiumTest, problemsOf } from "../support/chromium.ts";
import { writeRun } from "./run_records.ts";

const ignore = !mayUseFiles;

Deno.test({
  name: "groupsOf(): joins runs that differ in their seeds alone, and separates other settings",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const paths = [
        await writeRun(folder, "a", { config: { seeds: [0, 1] } }),
        await writeRun(folder, "b", { config: { seeds: [2], deno: "2.9.0" } }),
        await writeRun(folder, "same-seed", { config: { seeds: [1] } }),
        await writeRun(folder, "iql", { algorithm: "iql" }),
      ];
      const groups = groupsOf(paths.map((path) => readRun(path)));
      assertEquals(groups.length, 1);
      const found = groups[0]!.series.map(({ name, runs }) => [name, runs.map(({ name }) => name)]);
      assertEquals(found, [
        ["SRPO (a)", ["a", "b"]],
        ["SRPO (same-seed)", ["same-seed"]],
        ["IQL", ["iql"]],
      ]);
    }),
});

Deno.test({
  name: "groupsOf(): separates other data, tasks and numbers of episodes, and names settings",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const data = { file: "gone.hdf5", sha256: "cd".repeat(32), rows: 1000 };
      const h = { criticSteps: 100, behaviorSteps: 100, policySteps: 100 };
      const paths = [
        await writeRun(folder, "a", { config: { hyperparameters: { ...h, beta: 0.1 } } }),
        await writeRun(folder, "b", { config: { hyperparameters: { ...h, beta: 0.2 } } }),
        await writeRun(folder, "data", { config: { data } }),
        await writeRun(folder, "episodes", { episodes: 3 }),
        await writeRun(folder, "task", { config: { task: "hopper-expert-v2" } }),
      ];
      const groups = groupsOf(paths.map((path) => readRun(path)));
      assertEquals(groups.map(({ series }) => series.map(({ name }) => name)), [
        ["SRPO, beta 0.1", "SRPO, beta 0.2"],
        ["SRPO"],
        ["SRPO"],
        ["SRPO"],
      ]);
    }),
});

Deno.test({
  name: "scoresOf(): tells each seed's last evaluation from its best, over all runs of a series",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const scores = (of: number[][]) => ({ policy: of.map((each, i) => [i + 1, each] as const) });
      const paths = [
        await writeRun(folder, "a", { scores: scores([[50, 10], [30, 20]]) }),
        await writeRun(folder, "b", {
          config: { seeds: [7, 8] },
          scores: scores([[4, 3], [5, 60]]),
        }),
        // It was stopped after the first evaluation.
        await writeRun(folder, "c", {
          config: { seeds: [9] },
          scores: scores([[99]]),
          finished: false,
        }),
      ];
      const [group] = groupsOf(paths.map((path) => readRun(path)));
      const [score] = scoresOf(group!);
      assertEquals(score!.seeds, [0, 1, 7, 8]);
      assertEquals([score!.step, score!.leftOut], [2, [9]]);
      assertEquals(score!.last.values, [30, 20, 5, 60]);
      assertEquals(score!.best.values, [50, 20, 5, 60]);
      assertEquals(score!.evaluations, 2);
      assertEquals(score!.last.interquartileMean, interquartileMean([30, 20, 5, 60]));
      const [low, high] = score!.last.interval!;
      assert(low < score!.last.interquartileMean && score!.last.interquartileMean < high);
    }),
});

/** Writes the report of runs and returns it. */
async function reportOf(folder: string, ...paths: string[]): Promise<string> {
  const { report } = await import("../../lib/commands/report.ts");
  const out = join(folder, "report.html");
  const { log } = console;
  console.log = () => {};
  try {
    await report([...paths, "--out", out]);
  } finally {
    console.log = log;
  }
  return Deno.readTextFileSync(out);
}

/** Returns the text between a heading and the next one of its level, without tags. */
function textUnder(page: string, heading: string): string {
  const start = page.indexOf(`<h2>${heading}</h2>`);
  assert(start >= 0, `no heading ${heading}`);
  const end = page.indexOf("<h2>", start + 4);
  return page.slice(start, end < 0 ? undefined : end)
    .replaceAll(/<figure[^]*?<\/figure>/g, "").replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

Deno.test({
  name: "report: puts the paper's and the data's scores beside the run's, last and best apart",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = await writeRun(folder, "a", {
        scores: { policy: [[10, [50, 60]], [20, [40, 50]]] },
        losses: { critic: [[1, [3, 4]], [2, [1, 2]]] },
      });
      const page = await reportOf(folder, path);
      const scores = textUnder(page, "Scores on hopper-medium-v2");
      assertStringIncludes(
        scores,
        "SRPO SRPO 0-1 20 45.0 ± 5.0 45.0 40.0 to 50.0 55.0 ± 5.0 2 95.5 ± 2.0",
      );
      assertStringIncludes(scores, "The paper's Table 1 BEAR TD3+BC IQL");
      assertStringIncludes(scores, "52.1 59.3 66.3");
      assertStringIncludes(scores, "data – 44.3");
      assertStringIncludes(scores, "random actions (D4RL) – 0.0");
      assertStringIncludes(textUnder(page, "Data"), "gone.hdf5");
      assertStringIncludes(textUnder(page, "Data"), "cannot be read here");
      const configuration = textUnder(page, "Configuration");
      assertStringIncludes(configuration, "adapter.name llvmpipe");
      assertStringIncludes(page, "cli.ts train hopper-medium-v2 --note &lt;b&gt;");
      for (const name of ["critic: loss", "D4RL score", "seeds 0, 1"]) {
        assertStringIncludes(page, name);
      }
      assert(!page.includes("cannot be compared"));
    }),
});

Deno.test({
  name: "report: says that runs with different data cannot be compared, and separates them",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const scores = { policy: [[10, [50, 60]]] as const };
      const data = { file: "gone.hdf5", sha256: "cd".repeat(32), rows: 1000 };
      const page = await reportOf(
        folder,
        await writeRun(folder, "a", { scores }),
        await writeRun(folder, "b", { scores, config: { data } }),
      );
      assertStringIncludes(page, "These runs differ in data, so their\nscores cannot be compared");
      for (const place of [1, 2]) {
        const text = textUnder(page, `Scores on hopper-medium-v2 (${place})`);
        assertEquals(text.match(/55\.0 ± 5\.0 55\.0/g)?.length, 1);
      }
    }),
});

Deno.test({
  name: "report: shows an unfinished run without evaluations, and refuses what is not a run",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const losses = { critic: [[50, [3, 4]]] as const };
      const path = await writeRun(folder, "a", { losses, finished: false });
      const page = await reportOf(folder, path);
      assertStringIncludes(page, "critic, 50 % (stage 1 of 3)");
      assertStringIncludes(page, "There are no evaluations.");
      await assertRejects(() => reportOf(folder, path, `${path}/`), UserError, "named twice");
      await assertRejects(() => reportOf(folder, folder), UserError, "is not a run directory");
    }),
});

chromiumTest("report: opens in a browser, loads nothing, and follows light and dark", async (
  browser,
) => {
  await withFolder(async (folder) => {
    const path = await writeRun(folder, "a", {
      scores: { policy: [[10, [50, 60]], [20, [40, 50]]] },
      losses: { critic: [[1, [3, 4]], [2, [1, 2]]] },
    });
    await reportOf(folder, path);
    const colors = [];
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme, offline: true });
      const problems = problemsOf(page);
      await page.goto(`file://${join(folder, "report.html")}`);
      assertEquals(problems, []);
      assertEquals(await page.title(), "a");
      const line = page.locator("figure svg [aria-label=line]").first();
      assert((await line.boundingBox())!.width > 100);
      const overflowing = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      assertEquals(overflowing, 0);
      const colorOf = (element: string, property: string) =>
        page.evaluate(`getComputedStyle(document.querySelector("${element}")).${property}`);
      colors.push([
        await colorOf("body", "backgroundColor"),
        await colorOf("figure svg rect", "fill"),
        await colorOf("figure svg [aria-label=line]", "stroke"),
      ]);
      await page.close();
    }
    const [light, dark] = colors;
    assertEquals(light, ["rgb(255, 255, 255)", "rgb(255, 255, 255)", "rgb(0, 104, 176)"]);
    assertEquals(dark, ["rgb(21, 24, 28)", "rgb(21, 24, 28)", "rgb(88, 174, 242)"]);
  });
});
