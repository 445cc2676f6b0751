import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import manifest from "../deno.json" with { type: "json" };
import source from "../examples/regression.ts" with { type: "text" };

Deno.test("examples/regression.ts: fits its curve using only the public API", async () => {
  const imported = [...source.matchAll(/ from "([^"]+)"/g)].map(([, name]) => name);
  assertEquals(new Set(imported), new Set(["../mod.ts"]));
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
