import { assert, assertEquals } from "@std/assert";
import source from "../examples/regression.ts" with { type: "text" };

Deno.test("examples/regression.ts fits its curve, with the public API only", async () => {
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
