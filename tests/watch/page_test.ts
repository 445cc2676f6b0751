/** Tests the page of `watch` in headless Chromium. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { evaluate } from "../../lib/commands/eval.ts";
import { serve, watch } from "../../lib/commands/watch.ts";
import { mujocoBinary } from "../../lib/envs/mujoco/binary.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { rollout } from "../../lib/envs/rollout.ts";
import { evaluationSeeds } from "../../lib/envs/seeds.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { browserBundle } from "../../lib/report/browser_bundle.ts";
import { collect } from "../../lib/watch/collect.ts";
import { type SiteFile, siteFiles } from "../../lib/watch/site.ts";
import { printed } from "../commands/printed.ts";
import { projectFile, withFolder } from "../data/files.ts";
import { chromiumTest, problemsOf } from "../support/chromium.ts";
import { everyRobot } from "./every_robot.ts";
import { writeSweep } from "./runs.ts";

const hopper = projectFile("data/hopper-medium.safetensors");
const task = "hopper-medium-v2";

/** Small, because the picture is computed without a graphics card. */
const viewport = { width: 420, height: 560 };

/** Presses a button, without waiting until it can be seen. */
const press = (page: Page, id: string) => page.evaluate(`document.getElementById("${id}").click()`);

/** Opens a page and waits until it plays. */
async function opened(browser: Browser, address: string): Promise<[Page, string[]]> {
  const page = await browser.newPage({ viewport });
  const problems = problemsOf(page, new RegExp(`^${address}|^data:`));
  await page.goto(address);
  await page.locator("body.ready").waitFor();
  return [page, problems];
}

/** Returns the return and the length of an episode in the page's table, once it has ended. */
async function ended(
  page: Page,
  { episode, label, state }: { episode: number; label: string; state?: string },
): Promise<string[]> {
  for (let tries = 0; tries < 600; tries++) {
    const rows = await page.evaluate(
      `[...document.querySelectorAll("#rows tr")].map((row) =>
        [...row.cells].map((cell) => cell.textContent))`,
    ) as string[][];
    const found = rows.find((cells) =>
      cells[0] === String(episode) && cells[1] === label && cells[5]!.includes(state ?? "")
    );
    if (found !== undefined) return [found[2]!, found[4]!];
    await page.waitForTimeout(200);
  }
  throw new Error(`the table has no episode ${episode} of ${label}`);
}

const speed = (page: Page, value: string) =>
  page.locator(`input[name=speed][value="${value}"]`).check({ force: true });

/** The pixels of a pane's picture. */
const picture = (page: Page) => page.locator(".scene").first().screenshot();

chromiumTest(
  "watch: the robot moves, its return is eval's to the last digit, and a push changes it",
  async (browser) => {
    const lines = await printed(() =>
      evaluate([hopper, "--task", task, "--episodes", "2", "--seed", "5", "--json"])
    );
    const { episodes } = JSON.parse(lines.split("\n").at(-1)!);
    const packed = collect({
      path: hopper,
      environment: task,
      profile: null,
      actors: null,
      seed: 5,
    });
    await using server = serve(await siteFiles(packed));
    const [page, problems] = await opened(browser, server.address);

    await press(page, "play");
    await press(page, "reset");
    const before = await picture(page);
    for (let step = 0; step < 40; step++) await press(page, "step");
    await page.getByText("40 of 1000").waitFor();
    assertNotEquals(await picture(page), before);

    await speed(page, "max");
    await press(page, "play");
    const label = "hopper-medium";
    const expected = (index: number) =>
      [episodes[index].return, episodes[index].length].map(String);
    assertEquals(await ended(page, { episode: 1, label }), expected(0));
    assertEquals(await ended(page, { episode: 2, label }), expected(1));

    // Episode 1 again, now pulled to the left.
    await press(page, "play");
    await page.locator("#episode").fill("1");
    await page.locator("#episode").press("Enter");
    await page.getByText("0 of 1000", { exact: true }).waitFor();
    await page.locator(".scene").scrollIntoViewIfNeeded();
    const box = (await page.locator(".scene").boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x - 120, y, { steps: 3 });
    for (let step = 0; step < 5; step++) {
      await press(page, "step");
    }
    await page.getByText("5 of 1000", { exact: true }).waitFor();
    await page.mouse.up();
    await press(page, "play");
    const [pushed] = await ended(page, { episode: 1, label, state: "pushed" });
    assertNotEquals(pushed, String(episodes[0].return));
    assertEquals(problems, []);
  },
);

chromiumTest(
  "watch --export: a folder that plays without a network, with the policies of a sweep on a slider",
  (browser) =>
    withFolder(async (folder) => {
      const [run, site] = [join(folder, "run"), join(folder, "site")];
      Deno.mkdirSync(run);
      await writeSweep(run);
      const output = await printed(() => watch([run, "--export", site]));
      assert(output.includes(join(site, "index.html")), output);

      const context = await browser.newContext({ offline: true, viewport });
      const page = await context.newPage();
      const address = "http://watch.invalid/";
      const problems = problemsOf(page, new RegExp(`^${address}|^data:`));
      await page.route(`${address}**`, async (route) => {
        const name = new URL(route.request().url()).pathname.slice(1) || "index.html";
        await route.fulfill({ path: join(site, name) });
      });
      await page.goto(address);
      await page.locator("body.ready").waitFor();
      assertEquals(await page.locator("h1").textContent(), `SRPO on ${task}`);
      assert((await page.locator("footer").textContent())!.includes("acts in hopper-medium-v2"));
      assertEquals(
        await page.locator("select.policy").first().locator("option").allTextContents(),
        [
          "SRPO",
          "AWR",
        ],
      );

      // The return of each β is that of its policy.
      await press(page, "play");
      await page.locator(".remove").nth(1).click();
      await speed(page, "max");
      const slider = page.locator(".slider").first();
      const environment = await makeEnvironment(task, 1);
      for (const [place, beta] of [0.1, 1, 10].entries()) {
        await slider.fill(String(place));
        assertEquals(await page.locator(".variant").textContent(), `β = ${beta}`);
        await page.locator("#episode").fill("1");
        await page.locator("#episode").press("Enter");
        await press(page, "reset");
        await press(page, "play");
        const found = await ended(page, { episode: 1, label: `SRPO, β = ${beta}` });
        await press(page, "play");
        const { policy } = openTrained(join(run, `seed-4-beta-${beta}`)).load("srpo");
        const [episode] = await rollout(environment, policy, evaluationSeeds(0, 1));
        assertEquals(found, [episode!.return, episode!.length].map(String));
      }
      assertEquals(await page.locator(".value-name").textContent(), "Critic V(s)");
      // The next episode may have begun, and have no value before its first step.
      await press(page, "play");
      await page.locator("dd.value", { hasText: /^-?[\d.]+(e[+-]\d+)?$/ }).waitFor();
      await press(page, "play");

      await press(page, "add");
      await page.locator(".pane").nth(1).waitFor();
      assertEquals(await page.locator(".pane").count(), 2);
      assertEquals(problems, []);
      await context.close();
      await environment.close();
    }),
);

chromiumTest(
  "every robot and maze moves in Chromium as in Deno, to the last bit",
  async (browser) => {
    const script = await browserBundle(new URL("./every_robot.ts", import.meta.url));
    await using server = serve(
      new Map<string, SiteFile>([
        ["index.html", {
          type: "text/html",
          body: '<!doctype html><script type="module" src="robots.js"></script>',
        }],
        ["robots.js", { type: "text/javascript", body: script }],
        ["mujoco.wasm", { type: "application/wasm", body: await mujocoBinary() }],
      ]),
    );
    const page = await browser.newPage();
    await page.goto(server.address);
    const played = await page.evaluate(`(async () => {
    takeBinaryFrom(async () => new Uint8Array(await (await fetch("mujoco.wasm")).arrayBuffer()));
    return await everyRobot();
  })()`);
    assertEquals(played, await everyRobot());
  },
);
