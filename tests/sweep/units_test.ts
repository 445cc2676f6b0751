import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import table1 from "../../docs/sweeps/table1.yaml" with { type: "text" };
import { checkUnit } from "../../lib/commands/sweep_plan.ts";
import { isInPaper, tasks } from "../../lib/data/catalog.ts";
import { UserError } from "../../lib/errors.ts";
import { parseSweepFile } from "../../lib/sweep/sweep_file.ts";
import { unitsOf } from "../../lib/sweep/units.ts";

const yaml = `
tasks: [hopper-medium-v2, mine/ant.hdf5]
seeds: 0-2,7
algorithms:
  srpo: { beta: [0.01, 1e-3], policy-layers: [2, 4], critic-steps: 500 }
  iql:
preset: quick
evaluation: { every: 100, episodes: 3 }
`;

Deno.test("parseSweepFile() reads YAML and JSON alike", () => {
  const sweep = parseSweepFile(yaml, "sweep.yaml");
  assertEquals(parseSweepFile(JSON.stringify(sweep), "sweep.json"), sweep);
  assertEquals(sweep.seeds, "0-2,7");
  assertEquals(sweep.algorithms["iql"], null);
  assertEquals(parseSweepFile(yaml.replace(/seeds:.*/, "seeds: 0"), "sweep.yaml").seeds, [0]);
});

Deno.test("parseSweepFile() names the invalid field", () => {
  const base = { tasks: ["hopper-medium-v2"], seeds: [0], algorithms: { iql: null } };
  const cases: readonly [object, string][] = [
    [{ seeds: undefined }, '"seeds" is missing'],
    [{ seeds: [] }, '"seeds" needs seeds such as "0-5"'],
    [{ seeds: -3 }, '"seeds" needs seeds such as "0-5"'],
    [{ seeds: [0.5] }, '"seeds'],
    [{ tasks: [] }, '"tasks" needs a list of one or more'],
    [{ tasks: ["a", "a"] }, '"tasks" needs a list of one or more distinct'],
    [{ tasks: [""] }, '"tasks[0]" needs a task'],
    [{ algorithms: {} }, '"algorithms" needs one or more'],
    [{ algorithms: ["iql"] }, '"algorithms" needs algorithms with their hyperparameters, for'],
    [{ algorithms: { iql: { steps: [] } } }, '"algorithms.iql.steps" needs'],
    [{ algorithms: { iql: { steps: { from: 1 } } } }, '"algorithms.iql.steps" needs'],
    [{ algorithms: { iql: { steps: [1, 1] } } }, "distinct values"],
    [{ preset: "large" }, '"preset" needs paper or quick'],
    [{ evaluation: { every: 0 } }, '"evaluation.every" needs a whole number from 1'],
    [{ epochs: 3 }, '"epochs" is unknown'],
  ];
  for (const [change, message] of cases) {
    assertThrows(
      () => parseSweepFile(JSON.stringify({ ...base, ...change }), "s.json"),
      UserError,
      message,
    );
  }
  for (const [text, message] of [["tasks: [", "is not YAML"], ["a: 1\na: 2", "duplicated key"]]) {
    assertThrows(() => parseSweepFile(text!, "s.yaml"), UserError, message);
  }
});

Deno.test("unitsOf() trains seeds and βs in one run, and other lists in a run per value", () => {
  const units = unitsOf(parseSweepFile(yaml, "s.yaml"));
  assertEquals(units.map(({ name }) => name), [
    "hopper-medium-v2-srpo-policy-layers-2",
    "hopper-medium-v2-srpo-policy-layers-4",
    "hopper-medium-v2-iql",
    "ant-srpo-policy-layers-2",
    "ant-srpo-policy-layers-4",
    "ant-iql",
  ]);
  const shared = ["--preset=quick", "--seeds=0-2,7", "--eval-every=100", "--eval-episodes=3"];
  assertEquals(units[0]!.train, [
    "hopper-medium-v2",
    "--algorithm=srpo",
    ...shared,
    "--betas=0.01,0.001",
    "--critic-steps=500",
    "--policy-layers=2",
  ]);
  assertEquals(units[5]!.train, ["mine/ant.hdf5", "--algorithm=iql", ...shared]);
});

Deno.test("unitsOf() rejects unknown names, equal names and too many units", () => {
  const base = { tasks: ["hopper-medium-v2"], seeds: "0", algorithms: {} };
  const many = Array.from({ length: 101 }, (_, i) => i + 1);
  const cases: readonly [Partial<Parameters<typeof unitsOf>[0]>, string][] = [
    [{ algorithms: { sac: null } }, 'unknown algorithm "sac"'],
    [{ algorithms: { srpo: { betas: 1 } } }, 'no hyperparameter "betas", did you mean "beta"?'],
    [{ algorithms: { srpo: { out: "x" } } }, 'no hyperparameter "out"'],
    [{ algorithms: { iql: { width: many, steps: many } } }, "10201 units, at most 10000"],
    [{ tasks: ["a/x.hdf5", "b/x.hdf5"], algorithms: { iql: null } }, "called x-iql"],
  ];
  for (const [change, message] of cases) {
    assertThrows(() => unitsOf({ ...base, ...change }), UserError, message);
  }
});

Deno.test("checkUnit() rejects what train would reject, naming the unit", async () => {
  const checked = async (
    more: Partial<Parameters<typeof unitsOf>[0]>,
  ) => {
    const tasks = ["hopper-medium-v2"];
    const units = unitsOf({ tasks, seeds: "0", algorithms: { srpo: null }, ...more });
    return (await Promise.all(units.map(checkUnit))).flat();
  };
  const cases: readonly [Parameters<typeof checked>[0], string][] = [
    [{ tasks: ["hoper-medium-v2"] }, 'unit hoper-medium-v2-srpo: unknown task "hoper-medium-v2"'],
    [{ tasks: ["--resume"] }, "unit"],
    [{ tasks: ["-h"] }, '"-h" is not a task'],
    [{ seeds: "5-0" }, "--seeds needs ascending ranges"],
    [{ seeds: [1, 1] }, "--seeds needs distinct values"],
    [{ algorithms: { srpo: { beta: [0.1, -1] } } }, "--betas needs a number"],
    [{ algorithms: { srpo: { beta: "x" } } }, "--beta needs a number"],
    [{ algorithms: { srpo: { "fixed-time": [0.1, 0.5] } } }, "--times has an effect only with"],
  ];
  for (const [change, message] of cases) {
    await assertRejects(() => checked(change), UserError, message);
  }
  const steps = await checked({ seeds: "0-2", algorithms: { srpo: { beta: [0.1, 0.2] } } });
  assertEquals(steps.map(({ replicas }) => replicas), [3, 3, 6]);
});

Deno.test("docs/sweeps/table1.yaml has the paper's 15 tasks, five algorithms and six seeds", async () => {
  const units = unitsOf(parseSweepFile(table1, "table1.yaml"));
  assertEquals(units.length, 75);
  assertEquals(
    [...new Set(units.map(({ task }) => task))].toSorted(),
    [...tasks.values()].filter(isInPaper).map(({ name }) => name).toSorted(),
  );
  assertEquals(new Set(units.map(({ algorithm }) => algorithm)).size, 5);
  for (const unit of units) {
    for (const { replicas } of await checkUnit(unit)) assertEquals(replicas, 6);
  }
});
