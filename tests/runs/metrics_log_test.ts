import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { MetricsFile, readMetrics } from "../../lib/runs/metrics.ts";
import { MetricsLog } from "../../lib/runs/metrics_log.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const replicas = [{ seed: 3, variant: "a" }, { seed: 3, variant: "b" }];
const losses = (step: number) => ({ loss: [Math.sin(step) / 3, Math.cos(step) / 7] });

/** Rows of steps 1 to `steps` with a new log at each step of `breaks`, as a resumed run has. */
function rowsOf(steps: number, breaks: readonly number[]) {
  const path = Deno.makeTempFileSync();
  try {
    using file = MetricsFile.resume(path);
    let log = new MetricsLog(file, "critic", steps, replicas);
    for (let step = 1; step <= steps; step++) {
      log.add(step, losses(step));
      if (!breaks.includes(step)) continue;
      const partials = replicas.map((_, i) => log.partial(i) ?? undefined);
      log = new MetricsLog(file, "critic", steps, replicas);
      log.restore(partials);
    }
    return readMetrics(path).map(({ time: _, ...row }) => row);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test({
  name: "MetricsLog writes means over fixed intervals and the rest, one row for each replica",
  ignore,
  fn: () => {
    const rows = rowsOf(6002, []); // four steps each: 1500 whole intervals, and two steps left
    assertEquals(rows.length, 2 * 1501);
    assertEquals(rows.at(1), {
      stage: "critic",
      step: 4,
      seed: 3,
      variant: "b",
      metrics: { loss: [1, 2, 3, 4].reduce((sum, step) => sum + losses(step).loss[1]!, 0) / 4 },
      episodes: null,
    });
    assertEquals(rows.at(-1)!.step, 6002);
  },
});

Deno.test({
  name: "MetricsLog.restore() goes on within an interval to the same bits",
  ignore,
  fn: () => assertEquals(rowsOf(6002, [1, 2, 7, 8, 5999, 6001]), rowsOf(6002, [])),
});

Deno.test({
  name: "MetricsLog.restore() refuses sums that do not belong together",
  ignore,
  fn: () => {
    const path = Deno.makeTempFileSync();
    try {
      using file = MetricsFile.resume(path);
      const log = new MetricsLog(file, "critic", 10, replicas);
      const one = '{"count":1,"sums":{"loss":1}}';
      assertThrows(() => log.restore([one, undefined]), UserError, "do not belong together");
      assertThrows(() => log.restore(["{", "{"]), UserError, "no sums of metrics, but {");
    } finally {
      Deno.removeSync(path);
    }
  },
});
