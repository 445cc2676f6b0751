import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile } from "../data/files.ts";

const ignore = !mayUseFiles;
const mixed = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");

/** Returns the standard output of `data inspect`. */
async function printed(...args: string[]): Promise<string> {
  const { dataInspect } = await import("../../lib/commands/data_inspect.ts");
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await dataInspect(args);
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

Deno.test({
  name: "dataInspect() --json prints episodes, returns, flags and the D4RL score",
  ignore,
  async fn() {
    const found = JSON.parse(await printed(mixed, "--task", "hopper-medium-v2", "--json"));
    assertEquals([found.rows, found.transitions, found.episodes], [20_000, 19_991, 116]);
    assertEquals([found.terminals, found.timeouts], [108, 8]);
    assertAlmostEquals(found.returns.mean, 541.2, 0.05);
    assertAlmostEquals(found.score, 17.3, 0.05);
    assertAlmostEquals(found.official_return_range, 3767.2, 0.05);
    assertEquals(found.fields.find(({ field }: { field: string }) => field === "terminals"), {
      path: mixed,
      field: "terminals",
      dtype: "bool",
      shape: [20_000],
    });
    assertEquals(found.warnings.length, 2);
  },
});

Deno.test({
  name: "dataInspect() prints shapes, the distribution of returns and the warnings",
  ignore,
  async fn() {
    const text = await printed(mixed, "--task", "hopper-medium-v2");
    for (
      const part of [
        "observations",
        "20000 × 11",
        "116 complete, plus 724 rows of an unfinished one",
        "D4RL score    17.3 for hopper-medium-v2",
        "541.2",
        "█",
        "warning: the last episode is cut",
        "exactly -1 or 1",
      ]
    ) assertEquals(text.includes(part), true, `${part} in\n${text}`);
  },
});

Deno.test({
  name: "dataInspect() warns of data that training rejects, and rejects unreadable files",
  ignore,
  async fn() {
    const bad = (name: string) => projectFile(`tests/fixtures/datasets-bad/${name}.hdf5`);
    const text = await printed(bad("actions-out-of-range"));
    assertEquals(text.includes("warning: training rejects this: "), true);
    await assertRejects(() => printed(bad("truncated")), UserError, "truncated");
    await assertRejects(() => printed(mixed, "--tasks", "x"), UserError, "--task?");
  },
});
