import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { assertFinite, MetricsFile, type MetricsRow, readMetrics } from "../../lib/runs/metrics.ts";

const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted" ||
  Deno.permissions.querySync({ name: "read" }).state !== "granted";

function inFolder(body: (path: string) => void) {
  const folder = Deno.makeTempDirSync();
  try {
    body(join(folder, "metrics.jsonl"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const row = (stage: string, step: number, loss = step / 4): MetricsRow => ({
  stage,
  step,
  metrics: { loss },
});

function write(path: string, rows: readonly MetricsRow[]) {
  using file = MetricsFile.create(path);
  for (const each of rows) file.append(each);
  file.flush();
}

Deno.test("assertFinite() names stage, step and metric", () => {
  assertFinite("critic", 1, { q_loss: -1e38, v_loss: [0, 5e-324] });
  const nan = assertThrows(
    () => assertFinite("critic", 1200, { v_loss: 1, q_loss: NaN }),
    UserError,
  );
  assertStringIncludes(nan.message, "critic stage, step 1200: q_loss is NaN");
  const infinite = assertThrows(
    () => assertFinite("policy", 7, { loss: [1, 2, -Infinity] }),
    UserError,
  );
  assertStringIncludes(infinite.message, "policy stage, step 7: loss of replica 2 is -Infinity");
});

Deno.test({
  name: "MetricsFile appends rows that readMetrics() gives back, replicas included",
  ignore,
  fn: () =>
    inFolder((path) => {
      const rows = [row("critic", 100), { stage: "policy", step: 5, metrics: { loss: [1, 0.1] } }];
      write(path, rows);
      assertEquals(readMetrics(path), rows);
      assertEquals(
        Deno.readTextFileSync(path).split("\n")[0],
        '{"stage":"critic","step":100,"loss":25}',
      );
    }),
});

Deno.test({
  name: "MetricsFile.append() refuses NaN and writes nothing of the row",
  ignore,
  fn: () =>
    inFolder((path) => {
      using file = MetricsFile.create(path);
      file.append(row("critic", 1));
      assertThrows(() => file.append(row("critic", 2, NaN)), UserError, "step 2: loss is NaN");
      assertEquals(readMetrics(path), [row("critic", 1)]);
    }),
});

Deno.test({
  name: "MetricsFile.create() does not touch the metrics of another run",
  ignore,
  fn: () =>
    inFolder((path) => {
      write(path, [row("critic", 1)]);
      assertThrows(() => MetricsFile.create(path), Deno.errors.AlreadyExists);
      assertEquals(readMetrics(path), [row("critic", 1)]);
    }),
});

Deno.test({
  name: "MetricsFile.resume() cuts off what lies beyond the resumed step and goes on from there",
  ignore,
  fn: () =>
    inFolder((path) => {
      const rows = [row("critic", 100), row("critic", 200), row("behavior", 50)];
      write(path, [...rows, row("behavior", 100), row("policy", 1)]);
      {
        using file = MetricsFile.resume(path, "behavior", 50);
        file.append(row("behavior", 60));
      }
      assertEquals(readMetrics(path), [...rows, row("behavior", 60)]);
      MetricsFile.resume(path, "behavior", 0)[Symbol.dispose]();
      assertEquals(readMetrics(path), rows.slice(0, 2));
      MetricsFile.resume(path, "policy", 0)[Symbol.dispose]();
      assertEquals(readMetrics(path), rows.slice(0, 2));
    }),
});

Deno.test({
  name: "MetricsFile.resume() drops the half line of a killed process",
  ignore,
  fn: () =>
    inFolder((path) => {
      write(path, [row("critic", 1)]);
      Deno.writeTextFileSync(path, '{"stage":"critic","st', { append: true });
      {
        using file = MetricsFile.resume(path, "critic", 10);
        file.append(row("critic", 11));
      }
      assertEquals(readMetrics(path), [row("critic", 1), row("critic", 11)]);
    }),
});

Deno.test({
  name: "MetricsFile.resume() refuses a file with a line that is no row",
  ignore,
  fn: () =>
    inFolder((path) => {
      Deno.writeTextFileSync(path, '{"stage":"critic"}\n');
      const error = assertThrows(() => MetricsFile.resume(path, "critic", 10), UserError);
      assertStringIncludes(error.message, 'found {"stage":"critic"}');
      assertEquals(Deno.readTextFileSync(path), '{"stage":"critic"}\n');
    }),
});
