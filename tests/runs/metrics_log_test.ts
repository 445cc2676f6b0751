import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { MetricsFile, readMetrics } from "../../lib/runs/metrics.ts";
import { MetricsLog } from "../../lib/runs/metrics_log.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const replicas = [{ seed: 3, variant: "a" }, { seed: 3, variant: "b" }];
/** Metrics of a step. The second one comes from an update in every third step. */
const losses = (step: number): Record<string, readonly number[]> => ({
  loss: [Math.sin(step) / 3, Math.cos(step) / 7],
  ...(step % 3 === 0 && { late: [step, 2 * step] }),
});

/**
 * Returns the rows of steps 1 to `steps`, with a new log at each step of `breaks`, as after
 * resuming.
 */
function rowsOf(steps: number, breaks: readonly number[]) {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/metrics.jsonl`;
  try {
    using file = MetricsFile.create(path);
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
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test({
  name: "MetricsLog writes means over fixed intervals and the rest, one row per replica",
  ignore,
  fn: () => {
    const rows = rowsOf(6002, []); // four steps each: 1500 whole intervals, and two steps left
    assertEquals(rows.length, 2 * 1501);
    assertEquals(rows.at(1), {
      stage: "critic",
      step: 4,
      seed: 3,
      variant: "b",
      metrics: {
        loss: [1, 2, 3, 4].reduce((sum, step) => sum + losses(step)["loss"]![1]!, 0) / 4,
        late: 6,
      },
      episodes: null,
    });
    assertEquals(rows.at(-1)!.step, 6002);
  },
});

Deno.test({
  name: "MetricsLog.restore() continues within an interval, bit-identically",
  ignore,
  fn: () => assertEquals(rowsOf(6002, [1, 2, 7, 8, 5999, 6001]), rowsOf(6002, [])),
});

Deno.test({
  name: "MetricsLog.restore() rejects sums of different steps and invalid text",
  ignore,
  fn: () => {
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/metrics.jsonl`;
    try {
      using file = MetricsFile.create(path);
      const log = new MetricsLog(file, "critic", 10, replicas);
      const one = '{"loss":{"count":1,"sum":1}}';
      assertThrows(() => log.restore([one, undefined]), UserError, "do not match");
      assertThrows(
        () => log.restore(["{", "{"]),
        UserError,
        "the sums of metrics in a checkpoint's metadata is not JSON",
      );
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
