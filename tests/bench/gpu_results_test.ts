/** Tests how `bench/gpu.sh` reads the output of its steps. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { markdownOf, parityOutcome, tablesOutcome } from "../../bench/support/gpu_results.ts";

Deno.test("parityOutcome() reads the summary of deno test", () => {
  const summary = (line: string) => parityOutcome(`running\n\n${line}\n`)?.result;
  assertEquals(
    summary("ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)"),
    "12 passed, 0 failed",
  );
  assertEquals(summary("FAILED | 3 passed | 9 failed (1s)"), "3 passed, 9 failed");
  assertEquals(summary("error: Module not found"), undefined);
});

Deno.test("tablesOutcome() reads the last line, also of gradcheck", () => {
  const table = { title: "Steps/s", header: ["stage", "ours"], rows: [["critic", "43.8"]] };
  assertEquals(tablesOutcome("stages", `Check …\n${JSON.stringify({ tables: [table] })}\n`), {
    result: "1 tables",
    tables: [table],
  });
  const check = { operation: "linear", shape: "1×1" };
  const checks = JSON.stringify({
    checks: [{ ...check, passed: true }, { ...check, passed: false }],
  });
  assertEquals(tablesOutcome("gradcheck", checks)?.result, "1 of 2 checks passed; linear, 1×1");
  assertEquals(tablesOutcome("stages", checks), null);
  assertEquals(tablesOutcome("stages", "{"), null);
});

Deno.test("markdownOf() lists every step and every table", () => {
  const table = { title: "Steps/s", header: ["stage", "a|b"], rows: [["critic", 4]], notes: ["n"] };
  const text = markdownOf({
    ...{ version: "1", began: "2026-01-01", seconds: 9, machine: "a machine" },
    outcomes: [
      {
        step: "stages",
        command: "deno x",
        seconds: 8,
        failed: false,
        result: "ok",
        tables: [table],
      },
      { step: "peers", command: "deno y", seconds: 1, failed: true, result: "failed", tables: [] },
    ],
  });
  assertStringIncludes(text, "| stages | ok | 8 | `deno x` |\n| peers | failed | 1 | `deno y` |\n");
  assertStringIncludes(
    text,
    "## stages: Steps/s\n\n| stage | a\\|b |\n| --- | --- |\n| critic | 4 |\n\nn\n",
  );
  assertStringIncludes(text, "a machine");
});
