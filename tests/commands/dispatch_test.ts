import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type Command, runCommandLine } from "../../lib/commands/dispatch.ts";
import { UserError } from "../../lib/errors.ts";
import { version } from "../../lib/version.ts";

/** Runs the command line with a captured console and returns its output. */
async function run(commands: Record<string, Command>, ...args: string[]) {
  const { log, error } = console;
  const out: string[] = [];
  const errors: string[] = [];
  console.log = (...parts) => out.push(parts.join(" "));
  console.error = (...parts) =>
    errors.push(parts.map((part) => part instanceof Error ? String(part.stack) : part).join(" "));
  try {
    const code = await runCommandLine(commands, args);
    return { code, out: out.join("\n"), errors: errors.join("\n") };
  } finally {
    console.log = log;
    console.error = error;
  }
}

function table(calls: string[][] = []): Record<string, Command> {
  const record = (name: string): Command => ({
    summary: `Does ${name}.`,
    load: () => Promise.resolve((args) => void calls.push([name, ...args])),
  });
  return {
    train: record("train"),
    eval: record("eval"),
    "data inspect": record("data inspect"),
    "data collect": record("data collect"),
  };
}

Deno.test("runCommandLine() calls the named command with the remaining arguments", async () => {
  const calls: string[][] = [];
  assertEquals((await run(table(calls), "train", "--json")).code, 0);
  assertEquals((await run(table(calls), "data", "inspect", "a.hdf5")).code, 0);
  assertEquals(calls, [["train", "--json"], ["data inspect", "a.hdf5"]]);
});

Deno.test("runCommandLine() loads only the called command", async () => {
  const commands = {
    ...table(),
    broken: { summary: "", load: () => Promise.reject(new Error("loaded")) },
  };
  assertEquals((await run(commands, "eval")).code, 0);
  assertEquals((await run(commands, "--help")).code, 0);
});

Deno.test("runCommandLine() lists all commands for --help, and one family's for its name", async () => {
  for (const args of [[], ["--help"], ["help"]]) {
    const { code, out } = await run(table(), ...args);
    assertEquals(code, 0);
    for (const name of Object.keys(table())) assertStringIncludes(out, `Does ${name}.`);
  }
  const { out } = await run(table(), "data", "--help");
  assertStringIncludes(out, "Does data collect.");
  assertEquals(out.includes("Does train."), false);
});

Deno.test("runCommandLine() prints the version", async () => {
  const { code, out } = await run(table(), "--version");
  assertEquals(code, 0);
  assertStringIncludes(out, `srpo-webgpu ${version} `);
});

Deno.test("runCommandLine() names the nearest command for an unknown one", async () => {
  assertEquals(await run(table(), "trian"), {
    code: 1,
    out: "",
    errors: 'error: unknown command "trian", did you mean "train"?; see `--help` for all commands',
  });
  const { errors } = await run(table(), "data", "inspct");
  assertEquals(
    errors,
    'error: unknown command "data inspct", did you mean "data inspect"?; ' +
      "expected data inspect or data collect",
  );
  assertEquals((await run(table(), "toString")).code, 1);
});

Deno.test("runCommandLine() prints only the message of a UserError and exits with its code", async () => {
  const fails: Command = {
    summary: "",
    load: () => Promise.resolve(() => Promise.reject(new UserError("no adapter", 3))),
  };
  assertEquals(await run({ fails }, "fails"), { code: 3, out: "", errors: "error: no adapter" });
});

Deno.test("runCommandLine() exits with the code that the command returns", async () => {
  const stopped: Command = { summary: "", load: () => Promise.resolve(() => Promise.resolve(143)) };
  assertEquals((await run({ stopped }, "stopped")).code, 143);
});

Deno.test("runCommandLine() prints no control characters of a message", async () => {
  const named: Command = {
    summary: "",
    load: () => Promise.resolve(() => Promise.reject(new UserError("tensor \x1b[2Ja\x9b\nnext"))),
  };
  assertEquals((await run({ named }, "named")).errors, "error: tensor \ufffd[2Ja\ufffd\nnext");
});

Deno.test("runCommandLine() reports an error of the disk in one line", async () => {
  const rename = Object.assign(new Error("No space left on device: rename 'a'"), {
    code: "ENOSPC",
  });
  const full: Command = { summary: "", load: () => Promise.resolve(() => Promise.reject(rename)) };
  const { code, errors } = await run({ full }, "full");
  assertEquals([code, errors], [1, "error: No space left on device: rename 'a'"]);
});

const mayRun = (["run", "read"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const root = fileURLToPath(new URL("../..", import.meta.url));

Deno.test({
  name: "runCommandLine() reports a full disk under standard output in one line",
  ignore: !mayRun || Deno.build.os !== "linux",
  async fn() {
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", `"$0" run -A "$1" --help > /dev/full`, Deno.execPath(), `${root}cli.ts`],
    }).output();
    assertEquals(
      new TextDecoder().decode(stderr).trim(),
      [
        "error: cannot write to standard output: No space left on device (os error 28)",
      ].join("\n"),
    );
    assertEquals(code, 1);
  },
});

Deno.test({
  name: "runCommandLine() names a missing permission, without a stack",
  ignore: !mayRun,
  async fn() {
    const policy = `${root}tests/fixtures/policies/tqc-hopper.safetensors`;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read", "--allow-env", `${root}cli.ts`, "eval", policy]
        .concat(
          ["--task", "hopper-medium-v2", "--episodes", "1"],
        ),
    }).output();
    const text = new TextDecoder().decode(stderr);
    assertMatch(text, /^error: missing permission: .*--allow-run.*\n$/);
    assertEquals(code, 1);
  },
});

Deno.test("runCommandLine() prints the stack of any other error and exits with 70", async () => {
  const fails: Command = {
    summary: "",
    load: () =>
      Promise.resolve(() => {
        throw new TypeError("broken inside");
      }),
  };
  const { code, errors } = await run({ fails }, "fails");
  assertEquals(code, 70);
  assertStringIncludes(errors, "TypeError: broken inside\n    at ");
});

Deno.test("runCommandLine() prints a missing permission as one message, also where a package wraps it", async () => {
  const denied = 'Requires read access to "data", run again with the --allow-read flag';
  for (
    const error of [
      new Deno.errors.NotCapable(denied),
      new TypeError(denied),
      new WebAssembly.RuntimeError(`Aborted(NotCapable: ${denied})`),
      new SuppressedError(new TypeError(denied), new Error("on disposal")),
    ]
  ) {
    const failing = { train: { summary: "", load: () => Promise.reject(error) } };
    const { code, errors } = await run(failing, "train");
    assertEquals([code, errors.replaceAll(/\s+/g, " ")], [
      1,
      `error: missing permission: ${denied}, or with -A to grant all permissions`,
    ]);
  }
});
