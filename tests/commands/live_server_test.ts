import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { LiveServer } from "../../lib/commands/live_server.ts";
import type { LiveEpisode } from "../../lib/report/live_message.ts";
import { MetricsFile } from "../../lib/runs/metrics.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { chromiumTest, problemsOf } from "../support/chromium.ts";

const ignore = !mayUseFiles ||
  Deno.permissions.querySync({ name: "net", host: "127.0.0.1" }).state !== "granted";

const run = { name: "runs/a", description: "SRPO on hopper <b>", stages: ["critic", "policy"] };
const episode: LiveEpisode = {
  caption: "critic, step 5, seed 3",
  view: "side",
  steps: 2,
  stride: 1,
  radii: [0.05],
  frames: [[0, 1, 0, 1.4], [0.1, 1, 0.1, 1.4]],
  walls: [],
  goal: null,
};

function append(file: MetricsFile, step: number, seed = 3): void {
  const metrics = { loss: 1 / step };
  file.append({ stage: "critic", step, seed, variant: null, metrics, episodes: null });
}

/** Reads the messages of a viewer, one after another. */
async function* messagesOf(
  address: string,
): AsyncGenerator<{ readonly event: string; readonly data: unknown }> {
  const response = await fetch(`${address}events`);
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  let text = "";
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end))!;
      yield { event: event!, data: JSON.parse(data!) };
    }
  }
}

Deno.test({
  name: "LiveServer: sends each viewer all rows, then new ones, the stages and the end",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = join(folder, "metrics.jsonl");
      const server = new LiveServer(run, path);
      {
        using file = MetricsFile.create(path);
        append(file, 1);
        append(file, 2);
        const first = messagesOf(server.address);
        const next = async () => (await first.next()).value!;
        assertEquals(await next(), { event: "run", data: run });
        const steps = (message: { data: unknown }) =>
          (message.data as { step: number }[]).map(({ step }) => step);
        assertEquals(steps(await next()), [1, 2]);
        append(file, 3);
        const status = (stage: string, step: number) => (
          { stage, step, total: 9, stepsPerSecond: 2 }
        );
        // Stages may be trained at the same time.
        server.observe(status("policy", 1));
        server.observe(status("critic", 2));
        server.observe(status("critic", 3));
        server.show(episode);
        assertEquals(steps(await next()), [3]);
        const stages = [status("critic", 3), status("policy", 1)];
        assertEquals(await next(), { event: "stages", data: stages });
        assertEquals(await next(), { event: "episode", data: episode });

        const second = messagesOf(server.address);
        await second.next();
        assertEquals(steps((await second.next()).value!), [1, 2, 3]);
        append(file, 4);
        server.ending = "finished";
        const rest = Array.fromAsync(first);
        const others = Array.fromAsync(second);
        await server[Symbol.asyncDispose]();
        const ending = { event: "end", data: { text: "finished" } };
        assertEquals((await rest).map(({ event }) => event), ["rows", "end"]);
        assertEquals((await rest).at(-1), ending);
        assertEquals((await others).at(-1), ending);
      }
    }),
});

Deno.test({
  name: "LiveServer: answers on the loopback interface only, and only with token and own host",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using server = new LiveServer(run, join(folder, "metrics.jsonl"));
      const url = new URL(server.address);
      assertEquals(url.hostname, "127.0.0.1");
      assert(/^\/[0-9a-f]{32}\/$/.test(url.pathname));
      for (const path of ["/", "/client.js", `/${"0".repeat(32)}/`, url.pathname.slice(0, -2)]) {
        const { status, body } = await fetch(new URL(path, url));
        await body?.cancel();
        assertEquals(status, 404, path);
      }
      // fetch() sets the host itself
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(url.port) });
      const request =
        `GET ${url.pathname} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`;
      await connection.write(new TextEncoder().encode(request));
      const answer = await new Response(connection.readable).text();
      assertStringIncludes(answer, "HTTP/1.1 404");
      const page = await fetch(url);
      assertEquals(page.status, 200);
      assertStringIncludes(page.headers.get("content-security-policy")!, "default-src 'none'");
      assertStringIncludes(await page.text(), 'src="client.js"');
    }),
});

chromiumTest("LiveServer: the page draws curves as they grow, survives a reload, and plays", async (
  browser,
) => {
  await withFolder(async (folder) => {
    const path = join(folder, "metrics.jsonl");
    const server = new LiveServer(run, path);
    using file = MetricsFile.create(path);
    for (const step of [1, 2]) append(file, step);
    server.observe({ stage: "critic", step: 2, total: 8, stepsPerSecond: 0.1, laterSeconds: 3600 });
    server.observe({ stage: "policy", step: 4, total: 4, stepsPerSecond: 20 });
    server.show(episode);

    const allowed = new RegExp(`^${server.address}|^data:`);
    const page = await browser.newPage();
    const problems = problemsOf(page, allowed);
    await page.goto(server.address);
    const line = page.locator("#losses [aria-label=line] path");
    await line.waitFor();
    /** Waits until the curve has so many points. */
    const points = async (count: number) => {
      for (let tries = 0, found = -1; found !== count; tries++) {
        assert(tries < 600, `the curve has ${found} points, expected ${count}`);
        if (tries > 0) await page.waitForTimeout(50);
        const path = await line.getAttribute("d");
        found = path?.match(/[ML]/g)?.length ?? 0;
      }
    };
    await points(2);
    assertEquals(
      await page.locator("#description").textContent(),
      [
        "SRPO on hopper <b>",
        "stages critic, policy",
      ].join(" · "),
    );
    assertEquals(await page.locator("#stages p").allTextContents(), [
      "critic: step 2 of 8 · 0.100 steps/s · 1:00 left · all stages 1:01:00",
      "policy: step 4 of 4 · 20.0 steps/s",
    ]);
    assertEquals(await page.title(), "25 % critic");
    append(file, 3);
    await points(3);
    await page.reload();
    await points(3);

    const second = await browser.newPage();
    const others = problemsOf(second, allowed);
    await second.goto(server.address);
    await second.locator("#losses [aria-label=line] path").waitFor();
    // The robot is drawn: more than one color on its canvas.
    const colors = await page.evaluate(`(() => {
      const canvas = document.getElementById("canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    })()`);
    assert(Number(colors) > 2);

    append(file, 4);
    server.ending = "The run has finished.";
    await server[Symbol.asyncDispose]();
    for (const each of [page, second]) {
      await each.getByText("The run has finished.").waitFor();
    }
    await points(4);
    assertEquals([...problems, ...others], []);
  });
});
