import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { BridgeError, connectEnvironment } from "../../../lib/envs/bridge/client.ts";
import { launchServer, pythonPath } from "../../../lib/envs/bridge/launch.ts";
import { mayLaunch, until } from "./raw_client.ts";

function launchTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !mayLaunch, fn });
}

/** Whether somebody listens at a server's address. */
async function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}

/** Resolves when somebody listens at a server's address, or nobody does. */
async function untilListens(url: string, expected: boolean): Promise<void> {
  let reached = false;
  let watching = true;
  const watch = (async () => {
    while (watching && !reached) reached = await listens(url) === expected;
  })();
  try {
    await until(`${url} to ${expected ? "" : "stop to "}listen`, () => reached);
  } finally {
    watching = false;
    await watch;
  }
}

launchTest("launchServer() ends the server's process on close()", async () => {
  const server = await launchServer({ kind: "wasm" });
  assertMatch(server.url, /^ws:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{48}$/);
  assertEquals(await listens(server.url), true);
  await server.close();
  assertEquals(await listens(server.url), false);
  await server.close(); // once is enough, twice is no error
});

launchTest("launchServer() passes the profile to the server", async () => {
  await using server = await launchServer({ kind: "wasm", profile: "mjpy" });
  const batch = await connectEnvironment(server.url, "Hopper-v4", 1);
  assertEquals(batch.spec.versions.profile, "mjpy");
  await batch.close();
});

launchTest(
  "launchServer(): a server killed during an episode gives one error and can be replaced",
  async () => {
    await using killed = await launchServer({ kind: "wasm" });
    const batch = await connectEnvironment(killed.url, "hopper", 2);
    const observations = await batch.reset([1, 2]);
    const step = await batch.step(new Float64Array(6).fill(0.5));
    Deno.kill(killed.pid, "SIGKILL");
    const error = await (async () => {
      for (;;) await batch.step(new Float64Array(6));
    })().catch((error) => error);
    assertEquals(error instanceof BridgeError && error.fault, "lost", String(error));
    assertStringIncludes(error.message, "the episodes in progress are lost");
    assertEquals(await batch.step(new Float64Array(6)).catch((again) => again), error);
    await batch.close();

    await using next = await launchServer({ kind: "wasm" });
    const again = await connectEnvironment(next.url, "hopper", 2);
    assertEquals(await again.reset([1, 2]), observations);
    assertEquals(await again.step(new Float64Array(6).fill(0.5)), step);
    await again.close();
  },
);

launchTest("launchServer(): the server does not outlive a caller that is killed", async () => {
  const module = new URL("../../../lib/envs/bridge/launch.ts", import.meta.url);
  const caller = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { launchServer } from "${module}";
       console.log((await launchServer({ kind: "wasm" })).url);
       await new Promise((resolve) => setTimeout(resolve, 60_000));`,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = caller.stdout.pipeThrough(new TextDecoderStream());
  let url = "";
  for await (const text of output) {
    url += text;
    if (url.includes("\n")) break;
  }
  assertEquals(await listens(url), true);
  caller.kill("SIGKILL");
  await caller.status;
  await untilListens(url, false);
});

Deno.test({
  name: "serve-env recovers after other clients have used up its file descriptors",
  ignore: !mayLaunch || Deno.build.os === "windows",
  fn: async () => {
    const server = new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 200 && exec "$0" "$@"',
        Deno.execPath(),
        "run",
        "-A",
        fileURLToPath(new URL("../../../cli.ts", import.meta.url)),
        "serve-env",
        "--exit-with-stdin",
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stdout = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { url } = JSON.parse((await stdout.read()).value!);
    const batch = await connectEnvironment(url, "hopper", 1);
    await batch.reset([1]);

    const { hostname, port } = new URL(url);
    const strangers: Deno.Conn[] = [];
    try {
      while (strangers.length < 400) {
        const stranger = await Deno.connect({ hostname, port: Number(port) });
        strangers.push(stranger);
        await stranger.write(new TextEncoder().encode("GET / HT"));
      }
    } catch {
      // Nobody listens any more: that is the case in question.
    }
    await untilListens(url, false);
    await batch.step(new Float64Array(3));
    for (const stranger of strangers) stranger.close();
    await untilListens(url, true);
    const next = await connectEnvironment(url, "hopper", 1);
    await next.reset([1]);
    await next.close();
    await batch.step(new Float64Array(3));
    await batch.close();
    await server.stdin.close();
    assertEquals((await server.status).code, 0);
    await stdout.cancel();
    await server.stderr.cancel();
  },
});

Deno.test({
  name:
    "gym_server.py accepts the four values per step of gym 0.2x, and finds ogbench (needs `sh bridge/setup.sh`)",
  ignore: !mayLaunch || !await Deno.stat(pythonPath).then(() => true, () => false),
  fn: async () => {
    const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    const server = new Deno.Command(pythonPath, {
      args: [
        "-B",
        local("../../../bridge/gym_server.py"),
        "--exit-with-stdin",
        "--import",
        "four_tuple",
      ],
      env: { PYTHONPATH: local("../../fixtures/bridge") },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { url } = JSON.parse((await reader.read()).value!);

    const batch = await connectEnvironment(url, "four-tuple-walk-v2", 2);
    const { versions, ...spec } = batch.spec;
    assertEquals(spec, {
      id: "four-tuple-walk-v2",
      observationSize: 2,
      actionSize: 1,
      actionLow: [-1],
      actionHigh: [1],
      maxEpisodeSteps: 4,
      referenceReturn: { min: -1, max: 3 },
    });
    assertEquals(versions.gym, "0.23.1");
    // A package that registers environments is imported when an id is not known without it.
    const maze = await connectEnvironment(url, "pointmaze-medium-singletask-task2-v0", 1);
    assertEquals([maze.spec.observationSize, maze.spec.actionSize], [2, 2]);
    await maze.close();

    const first = await batch.reset([3, 4]);
    assertEquals(await batch.reset([3, 4]), first);
    // The first walks beyond 2 in its third step at the latest, the second meets the step limit.
    const ends: unknown[] = [];
    let running = [0, 1];
    for (let t = 1; running.length > 0; t++) {
      const actions = Float64Array.from(running, (i) => [1, 0.125][i]!);
      const { terminated, truncated, rewards } = await batch.step(actions, running);
      running.forEach((i, k) => {
        if (terminated[k] || truncated[k]) {
          ends.push([i, t, terminated[k], truncated[k], rewards[k]! > 2]);
        }
      });
      running = running.filter((_, k) => !terminated[k] && !truncated[k]);
    }
    assertEquals(ends, [[0, 2, 1, 0, true], [1, 4, 0, 1, false]]);
    assertEquals(await batch.state(), null);
    const refused = await connectEnvironment(url, "four-tuple-switch-v2", 1).catch((e) => e);
    assertStringIncludes(refused.message, "action space must be a Box");
    await batch.close();

    await server.stdin.close();
    assertEquals((await reader.read()).done, true, "nothing but the announcement on stdout");
    assertEquals((await server.status).code, 0);
  },
});
