import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { UserError } from "../../lib/errors.ts";
import { mayLaunch } from "../envs/bridge/raw_client.ts";

Deno.test({
  name: "serveEnv() rejects invalid flags and suggests the nearest known one",
  ignore: !mayLaunch,
  fn: async () => {
    const { serveEnv } = await import("../../lib/commands/serve_env.ts");
    for (
      const [args, message] of [
        [["--profil", "mjpy"], "did you mean --profile?"],
        [["--port", "65536"], "--port needs a whole number from 0 to 65535"],
        [["--profile", "mj3"], "--profile needs one of mjpy, mj22"],
        [["hopper"], 'unexpected argument "hopper"'],
      ] as const
    ) await assertRejects(() => serveEnv(args), UserError, message);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await assertRejects(
      () => serveEnv(["--port", String((taken.addr as Deno.NetAddr).port)]),
      UserError,
      "choose another --host or --port",
    );
  },
});

Deno.test({
  name: "serve-env prints its URL in one line of JSON and stops on SIGTERM",
  ignore: !mayLaunch,
  fn: async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        fileURLToPath(new URL("../../cli.ts", import.meta.url)),
        "serve-env",
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const announcement = (await stdout.read()).value!;
    assertMatch(
      announcement,
      /^\{"url":"ws:\/\/127\.0\.0\.1:\d+\/\?token=[0-9a-f]{48}","protocol":1\}\n$/,
    );
    child.kill("SIGTERM");
    const status = await child.status;
    assertEquals([status.code, (await stdout.read()).done], [0, true]);
    await child.stderr.cancel();
  },
});
