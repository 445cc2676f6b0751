import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { MetricsFile, type MetricsRow, readMetrics } from "../../lib/runs/metrics.ts";

const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted" ||
  Deno.permissions.querySync({ name: "read" }).state !== "granted";

async function inFolder(body: (path: string) => void | Promise<void>) {
  const folder = Deno.makeTempDirSync();
  try {
    await body(join(folder, "metrics.jsonl"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const row = (stage: string, step: number, loss = step / 4, seed = 0): MetricsRow => ({
  time: "2026-01-02T03:04:05.678Z",
  stage,
  step,
  seed,
  variant: null,
  metrics: { loss },
  episodes: null,
});

function write(path: string, rows: readonly MetricsRow[]) {
  using file = MetricsFile.create(path);
  for (const each of rows) file.copy(each);
}

Deno.test({
  name: "MetricsFile appends rows that readMetrics() returns, with all fields",
  ignore,
  fn: () =>
    inFolder((path) => {
      const episode = { seed: 1e10, return: 3, length: 5, score: null, reached_goal: true };
      const rows: MetricsRow[] = [row("critic", 100), {
        ...row("policy", 5),
        variant: "beta-0.1",
        metrics: { mean_return: 3 },
        episodes: [episode],
      }];
      write(path, rows);
      assertEquals(readMetrics(path), rows);
      assertEquals(
        Deno.readTextFileSync(path).split("\n")[0],
        '{"time":"2026-01-02T03:04:05.678Z","stage":"critic","step":100,"seed":0,' +
          '"variant":null,"metrics":{"loss":25},"episodes":null,"crc32":"bbb42a8d"}',
      );
    }),
});

Deno.test({
  name: "MetricsFile.append() writes the current time and rejects NaN",
  ignore,
  fn: () =>
    inFolder((path) => {
      using file = MetricsFile.create(path);
      const before = new Date().toISOString();
      file.append(row("critic", 1));
      assertThrows(() => file.append(row("critic", 2, NaN)), UserError, "step 2: loss is NaN");
      const [{ time, ...rest }, ...others] = readMetrics(path) as [MetricsRow];
      const { time: _, ...expected } = row("critic", 1);
      assertEquals([rest, ...others], [expected]);
      assertEquals(before <= time && time <= new Date().toISOString(), true, time);
    }),
});

Deno.test({
  name: "MetricsFile.create() does not overwrite an existing file",
  ignore,
  fn: () =>
    inFolder((path) => {
      write(path, [row("critic", 1)]);
      assertThrows(() => MetricsFile.create(path), Deno.errors.AlreadyExists);
      assertEquals(readMetrics(path), [row("critic", 1)]);
    }),
});

Deno.test({
  name: "MetricsFile.resume() removes the rows that `keep` rejects",
  ignore,
  fn: () =>
    inFolder(async (path) => {
      const [early, late] = [row("critic", 100), row("critic", 200)];
      const other = row("critic", 200, 1, 7);
      write(path, [early, late, other]);
      {
        using file = await MetricsFile.resume(path, ({ seed, step }) => seed === 7 || step <= 100);
        file.copy(row("critic", 150));
      }
      assertEquals(readMetrics(path), [early, other, row("critic", 150)]);
      assertEquals([...Deno.readDirSync(join(path, ".."))].length, 1, "a temporary file is left");
    }),
});

Deno.test({
  name: "MetricsFile.remove() keeps rows that are appended meanwhile, in order",
  ignore,
  fn: () =>
    inFolder(async (path) => {
      using file = MetricsFile.create(path);
      file.copy(row("critic", 100));
      file.copy(row("policy", 5));
      const removed = file.remove(({ stage }) => stage !== "policy");
      file.copy(row("critic", 200));
      const flushed = file.flush();
      file.copy(row("critic", 300));
      await Promise.all([removed, flushed]);
      file.copy(row("policy", 1));
      assertEquals(readMetrics(path), [
        row("critic", 100),
        row("critic", 200),
        row("critic", 300),
        row("policy", 1),
      ]);
    }),
});

Deno.test({
  name: "MetricsFile.resume() removes the incomplete last line of a killed process",
  ignore,
  fn: () =>
    inFolder(async (path) => {
      write(path, [row("critic", 1)]);
      Deno.writeTextFileSync(path, '{"stage":"critic","st', { append: true });
      assertEquals(readMetrics(path), [row("critic", 1)]);
      {
        using file = await MetricsFile.resume(path);
        file.copy(row("critic", 11));
      }
      assertEquals(readMetrics(path), [row("critic", 1), row("critic", 11)]);
    }),
});

Deno.test({
  name: "MetricsFile.resume() rejects a file with a line that is not a row",
  ignore,
  fn: () =>
    inFolder(async (path) => {
      Deno.writeTextFileSync(path, '{"stage":"critic"}\n');
      const error = await assertRejects(() => MetricsFile.resume(path), UserError);
      assertStringIncludes(error.message, `${path}, line 1: field "time" is missing; restore`);
      assertEquals(Deno.readTextFileSync(path), '{"stage":"critic"}\n');
    }),
});

Deno.test({
  name: "readMetrics() rejects a row with a changed or an invalid value, naming line and field",
  ignore,
  fn: () =>
    inFolder((path) => {
      write(path, [row("critic", 1), row("critic", 2)]);
      const text = Deno.readTextFileSync(path);
      Deno.writeTextFileSync(path, text.replace('"loss":0.5', '"loss":0.7'));
      assertThrows(() => readMetrics(path), UserError, `${path}, line 2 was changed`);
      for (
        const [change, message] of [
          [{ step: "2" }, 'line 1: field "step" needs a whole number from 0, found "2"'],
          [{ step: 590.5 }, 'line 1: field "step" needs a whole number from 0, found 590.5'],
          [{ metrics: { loss: null } }, 'field "metrics.loss" needs a number, found null'],
          [{ variant: "../x" }, 'field "variant" needs a name without / and \\'],
          [{ episodes: [{ seed: 1 }] }, 'field "episodes[0].return" is missing'],
          [{ more: 1 }, 'field "more" is unknown to this version'],
        ] as const
      ) {
        Deno.writeTextFileSync(path, JSON.stringify({ ...row("critic", 1), ...change }) + "\n");
        assertThrows(() => readMetrics(path), UserError, message);
      }
    }),
});

Deno.test({
  name: "readMetrics() says that a file cannot be read",
  ignore,
  fn() {
    const folder = Deno.makeTempDirSync();
    try {
      assertThrows(() => readMetrics(folder), UserError, `cannot read ${folder}`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
