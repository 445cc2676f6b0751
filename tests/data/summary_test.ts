import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { OfflineDataset } from "../../lib/data/dataset.ts";
import { distributionOf, episodesOf, histogramOf } from "../../lib/data/summary.ts";
import { warningsOf } from "../../lib/data/warnings.ts";
import { mayUseFiles, projectFile } from "./files.ts";

/** Returns valid data with observation and action size 1, with the given fields replaced. */
function made(rows: number, fields: Partial<Record<keyof OfflineDataset, unknown>> = {}) {
  const zeros = () => new Float32Array(rows);
  const timeouts = (fields.timeouts as Float32Array | undefined) ?? zeros();
  timeouts[rows - 1] = 1;
  return {
    sources: [{ path: "made.hdf5", firstRow: 0 }],
    rows,
    observationSize: 1,
    actionSize: 1,
    observations: zeros().map((_, row) => row),
    actions: zeros().map((_, row) => 0.5 * Math.sin(row)),
    rewards: zeros().map((_, row) => row % 3),
    terminals: zeros(),
    hasTimeouts: true,
    transitions: Uint32Array.from({ length: rows - 1 }, (_, row) => row),
    ...fields,
    timeouts,
  } as OfflineDataset;
}

Deno.test("episodesOf() ends episodes at terminals, timeouts and the end of the data", () => {
  const data = made(6, {
    terminals: Float32Array.of(0, 1, 0, 0, 0, 0),
    timeouts: Float32Array.of(0, 0, 0, 1, 0, 0),
  });
  data.timeouts[5] = 0;
  assertEquals(episodesOf(data), [
    { begin: 0, end: 2, ending: "terminal", return: 1 },
    { begin: 2, end: 4, ending: "timeout", return: 2 },
    { begin: 4, end: 6, ending: "cut", return: 3 },
  ]);
});

Deno.test("distributionOf() interpolates quartiles and divides by the count", () => {
  assertEquals(distributionOf([4, 1, 3, 2]), {
    count: 4,
    mean: 2.5,
    std: Math.sqrt(1.25),
    min: 1,
    q25: 1.75,
    median: 2.5,
    q75: 3.25,
    max: 4,
  });
  assertEquals(distributionOf([]), null);
});

Deno.test("histogramOf() counts every value once, the largest in the last bin", () => {
  assertEquals(histogramOf([0, 1, 2, 3, 4, 10], 5).map(({ count }) => count), [2, 2, 1, 0, 1]);
  assertEquals(histogramOf([2, 2], 5), [{ from: 2, to: 2, count: 2 }]);
  assertEquals(histogramOf([], 5), []);
});

Deno.test({
  name: "episodesOf() of hopper-mixed-20k: 116 complete, return 541.2 ± 1035.7, 108 terminals",
  ignore: !mayUseFiles,
  async fn() {
    const { loadDataset } = await import("../../lib/data/dataset.ts");
    const data = await loadDataset([projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5")]);
    const complete = episodesOf(data).filter(({ ending }) => ending !== "cut");
    const returns = distributionOf(complete.map((episode) => episode.return))!;
    assertEquals([returns.count, complete.filter((e) => e.ending === "terminal").length], [
      116,
      108,
    ]);
    assertAlmostEquals(returns.mean, 541.2, 0.05);
    assertAlmostEquals(returns.std, 1035.7, 0.05);
    assertAlmostEquals(returns.min, 4.1, 0.05);
    assertAlmostEquals(returns.max, 3773.6, 0.05);
  },
});

Deno.test("warningsOf() returns no warnings for valid data", () => {
  const data = made(50);
  const next = data.observations.map((value) => value + 1);
  assertEquals(warningsOf(data, next), []);
});

const faults: [fault: string, data: OfflineDataset, warning: string][] = [
  ["a missing timeouts field", made(9, { hasTimeouts: false }), "no field timeouts"],
  ["flags that are never set", made(9), "neither terminals nor timeouts is ever set"],
  [
    "both flags in a row",
    made(9, {
      terminals: Float32Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0),
      timeouts: Float32Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0),
    }),
    "both set in 1 rows",
  ],
  [
    "an action out of range",
    made(3, { actions: Float32Array.of(0, 1.5, 0) }),
    "training rejects this: made.hdf5: actions is 1.5 at row 1, expected within [-1, 1] (1 row like",
  ],
  [
    "actions at exactly ±1",
    made(4, { actions: Float32Array.of(0, 1, -1, 0.5) }),
    "50.0 % of the action entries are exactly -1 or 1",
  ],
  ["constant rewards", made(3, { rewards: Float32Array.of(2, 2, 2) }), "rewards is 2 in every row"],
  [
    "a repeated row",
    made(4, {
      observations: Float32Array.of(7, 8, 7, 7),
      actions: Float32Array.of(0.1, 0.2, 0.1, 0.3),
    }),
    "1 rows repeat the observation and action of an earlier row, first row 2",
  ],
  [
    "a flag other than 0 and 1",
    made(3, { terminals: Float32Array.of(0, 0.5, 0) }),
    "terminals is 0.5 at row 1, expected 0 or 1",
  ],
];
for (const [fault, data, warning] of faults) {
  Deno.test(`warningsOf() warns of ${fault}`, () => {
    if (fault === "flags that are never set") data.timeouts.fill(0);
    const warnings = warningsOf(data);
    assertEquals(warnings.filter((text) => text.includes(warning)).length, 1, warnings.join("\n"));
  });
}

Deno.test("warningsOf() warns of a cut last episode", () => {
  const data = made(5, { timeouts: Float32Array.of(0, 1, 0, 0, 0) });
  data.timeouts[4] = 0;
  assertEquals(warningsOf(data).map((text) => text.slice(0, 38)), [
    "the last episode is cut after 3 rows, ",
  ]);
});

Deno.test("warningsOf() finds unflagged episode ends by the file's next_observations", () => {
  const data = made(6);
  const next = data.observations.map((value) => value + 1);
  next[2] = 100;
  const [warning, ...more] = warningsOf(data, next);
  assertEquals(more, []);
  assertEquals(warning?.includes("in 1 rows without a flag, first in row 2"), true);
});
