import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { AdapterMeasurement } from "../../lib/checks/adapter.ts";
import { conclude } from "../../lib/commands/gradcheck.ts";
import { UserError } from "../../lib/errors.ts";

const adapter = {
  ...{ name: "a GPU", driver: "1", software: false, subgroups: true },
  ...{ driverVersion: null, processor: null, probe: "00ff" },
};
const row = (error: number, replicas: number): AdapterMeasurement => ({
  operation: "relu",
  shape: "7×13",
  replicas,
  error,
  limit: 1e-6,
  passed: error <= 1e-6,
  products: "registers",
});

/** Returns what `work` prints. */
function printed(work: () => void): string[] {
  const lines: string[] = [];
  const log = console.log;
  console.log = (text: string) => void lines.push(...text.split("\n"));
  try {
    work();
  } finally {
    console.log = log;
  }
  return lines;
}

Deno.test("conclude() prints the worst error per operation and shape, and returns if all checks passed", () => {
  const lines = printed(() => conclude(adapter, [row(1e-7, 1), row(2e-7, 3)], false));
  assertEquals(lines.filter((line) => line.startsWith("relu")).length, 1);
  assertStringIncludes(lines.find((line) => line.startsWith("relu"))!, "2.0e-7");
  assertEquals(lines.at(-1), "2 of 2 checks passed");
});

Deno.test("conclude() prints everything, then throws a UserError if a check failed", () => {
  const lines = printed(() => {
    const error = assertThrows(
      () => conclude(adapter, [row(1e-7, 1), row(Infinity, 3)], true),
      UserError,
      "1 of 2 checks failed",
    );
    assertEquals(error.exitCode, 1);
  });
  assertStringIncludes(lines.find((line) => line.startsWith("relu"))!, "NO");
  const result = JSON.parse(lines.at(-1)!);
  assertEquals(result.passed, false);
  assertEquals(result.adapter.name, "a GPU");
  assertEquals(
    result.checks.map((check: { relative_error: number | null }) => check.relative_error),
    [1e-7, null],
  );
});
