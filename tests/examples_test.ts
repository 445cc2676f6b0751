import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import behaviorCloning from "../examples/behavior_cloning.ts" with { type: "text" };
import ownReward from "../examples/own_reward.ts" with { type: "text" };
import regression from "../examples/regression.ts" with { type: "text" };

Deno.test("examples: import nothing but mod.ts, and an algorithm takes less than 80 lines", () => {
  for (const source of [behaviorCloning, ownReward, regression]) {
    const imported = [...source.matchAll(/ from "([^"]+)"/g)].map(([, name]) => name);
    assertEquals(new Set(imported), new Set(["../mod.ts"]));
  }
  assertLess(behaviorCloning.trimEnd().split("\n").length, 80);
});

/** Runs an example with what reading a data set and writing a run need; gives its output. */
async function outputOf(example: string, ...args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(`../examples/${example}`, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-write", "--allow-env", path, ...args],
    // A test beside this one may change the current folder.
    cwd: new URL("..", import.meta.url),
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, err);
  return out!;
}

const mayRun = (["run", "read"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "examples/behavior_cloning.ts: its loss falls, and its policy plays in the maze",
  ignore: !mayRun,
  fn: async () => {
    const output = await outputOf("behavior_cloning.ts", "60");
    const [first, last] = /loss (\S+) at first, (\S+) at last/.exec(output)!.slice(1).map(Number);
    assert(last! < first! - 0.3, output);
    assert(/^returns \d+, \d+; /m.test(output), output);
  },
});

Deno.test({
  name: "examples/own_reward.ts: trains on its own rewards, and counts them in the maze",
  ignore: !mayRun,
  fn: async () => {
    const output = await outputOf("own_reward.ts", "10");
    const shares = [...output.matchAll(/^(?:data|policy) +(\S+) % of the steps/gm)];
    assertEquals(shares.length, 2, output);
    // Ten steps train no policy, but the share of the bundled rows is known.
    assertEquals(Number(shares[0]![1]), 6.9);
  },
});

Deno.test("examples/regression.ts: fits its curve", async () => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => void lines.push(line);
  try {
    await import("../examples/regression.ts");
  } finally {
    console.log = log;
  }
  const losses = lines.flatMap((line) => {
    const match = /^step \d+ {2}loss (\S+)$/.exec(line);
    return match ? [Number(match[1])] : [];
  });
  assertEquals(losses.length, 5);
  assert(losses.at(-1)! < 1e-3 && losses.at(-1)! < losses[0]! / 10, `losses ${losses}`);
});

Deno.test({
  name: "deno task example: runs without permissions and writes nothing to stderr",
  ignore: (["run", "env", "read"] as const).some((name) =>
    Deno.permissions.querySync({ name }).state !== "granted"
  ),
  fn: async () => {
    const { XDG_RUNTIME_DIR: _, ...env } = Deno.env.toObject();
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "example"],
      cwd: new URL("..", import.meta.url),
      clearEnv: true,
      env,
    }).output();
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals(code, 0);
    assertStringIncludes(new TextDecoder().decode(stdout), "step 1000  loss ");
    const flags = manifest.tasks.example.match(/ -\S+/g) ?? [];
    assertEquals(flags, []);
  },
});
