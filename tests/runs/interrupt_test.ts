import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { watchInterrupt } from "../../lib/runs/interrupt.ts";
import { inOwnProcess } from "../support/own_process.ts";

const granted = (name: "run" | "read" | "env") =>
  Deno.permissions.querySync({ name }).state === "granted";

/** A program that loops until it is interrupted, like training, and then says so. */
const program = `
  import { watchInterrupt } from ${
  JSON.stringify(new URL("../../lib/runs/interrupt.ts", import.meta.url).href)
};
  using interrupt = watchInterrupt("stopping after writing a checkpoint");
  console.log("ready");
  while (!interrupt.requested) await new Promise((resolve) => setTimeout(resolve, 1));
  console.log("stopping");
  if (Deno.args[0] === "stubborn") await new Promise((resolve) => setTimeout(resolve, 60_000));
  console.log("checkpoint written, aborted", interrupt.signal.aborted);
  Deno.exit(interrupt.exitCode);
`;

/** Runs a program, calls `react` with each text that it prints, and returns its output and code. */
async function outcomeOf(
  text: string,
  command: (script: string) => readonly [program: string, ...args: string[]],
  react: (printed: string, child: Deno.ChildProcess) => void | Promise<void>,
) {
  const script = Deno.makeTempFileSync({ suffix: ".ts" });
  try {
    Deno.writeTextFileSync(script, text);
    const [first, ...args] = command(script);
    await using child = new Deno.Command(first, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const errors = new Response(child.stderr).text();
    let out = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      await react(chunk, child);
      out += chunk;
    }
    return { out, errors: await errors, code: (await child.status).code };
  } finally {
    Deno.removeSync(script);
  }
}

const waited = (milliseconds: number) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs the program and sends `signal` whenever it prints that it is ready. */
async function interrupted(signal: Deno.Signal, stubborn: boolean) {
  const more = stubborn ? ["stubborn"] : [];
  return await outcomeOf(
    program,
    (script) => [Deno.execPath(), "run", "--no-lock", "--no-check", script, ...more],
    async (printed, child) => {
      if (printed.includes("ready")) child.kill(signal);
      if (stubborn && printed.includes("stopping")) {
        // Wait until another signal no longer counts as the same key press.
        await waited(350);
        child.kill(signal);
      }
    },
  );
}

const ignore = !granted("run") || !granted("read") || Deno.build.os === "windows";

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 143]] as const) {
  Deno.test({
    name:
      `watchInterrupt() lets the loop write its checkpoint on ${signal} and exit with ${expected}`,
    ignore,
    fn: async () => {
      const { out, errors, code } = await interrupted(signal, false);
      assertEquals(out, "ready\nstopping\ncheckpoint written, aborted true\n");
      assertStringIncludes(errors, "stopping after writing a checkpoint; press again to stop");
      assertEquals(code, expected);
    },
  });
}

Deno.test({
  name: "watchInterrupt() exits with 130 on the second SIGINT",
  ignore,
  fn: async () => {
    const { out, code } = await interrupted("SIGINT", true);
    assertEquals(out, "ready\nstopping\n");
    assertEquals(code, 130);
  },
});

Deno.test({
  name: "watchInterrupt() leaves SIGHUP ignored in a process that nohup started",
  ignore: ignore || Deno.build.os !== "linux",
  fn: async () => {
    // Opening an engine resets SIGHUP, so that it was ignored must be noticed before.
    const engine = new URL("../../lib/autodiff/engine.ts", import.meta.url).href;
    const opening = `import { Engine } from ${JSON.stringify(engine)};\n` +
      program.replace("using interrupt", "(await Engine.open()).close();\n  using interrupt");
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const flags = `-A --no-lock --no-check '--config=${config}'`;
    const { out, errors, code } = await outcomeOf(
      opening,
      (script) => ["sh", "-c", `trap '' HUP; exec '${Deno.execPath()}' run ${flags} ${script}`],
      async (printed, child) => {
        if (!printed.includes("ready")) return;
        child.kill("SIGHUP");
        // Time for the signal to arrive before the other one.
        await waited(500);
        child.kill("SIGINT");
      },
    );
    // The code is that of the first signal that counts.
    assertEquals(code, 130, `${out}\n${errors}`);
  },
});

const keyPress = "watchInterrupt() counts two signals within 0.3 s as one key press";
Deno.test({
  name: keyPress,
  ignore: ignore || !granted("env"),
  fn: inOwnProcess(import.meta.url, keyPress, async () => {
    const exits: number[] = [];
    const messages: string[] = [];
    let time = 0;
    using interrupt = watchInterrupt("stopping", {
      announce: (message) => messages.push(message),
      exit: (code) => exits.push(code),
      now: () => time,
    });
    const send = async (at: number) => {
      time = at;
      // This listener runs after the one under test, which has then handled the signal.
      const { promise, resolve } = Promise.withResolvers<void>();
      Deno.addSignalListener("SIGTERM", resolve);
      // Signal listeners do not keep the event loop alive, but a timer does.
      const alive = setInterval(() => {}, 1000);
      Deno.kill(Deno.pid, "SIGTERM");
      await promise;
      clearInterval(alive);
      Deno.removeSignalListener("SIGTERM", resolve);
    };
    assertEquals(interrupt.requested, false);
    await send(1000);
    assertEquals(interrupt.requested, true);
    await send(1299);
    assertEquals(exits, []);
    await send(1300);
    assertEquals(exits, [143]);
    assertEquals(messages.length, 1);
  }),
});
