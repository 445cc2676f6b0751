import { assert, assertEquals, assertLess, assertLessOrEqual, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { mazes, type Point } from "../../lib/envs/mazes.ts";
import { collectMaze2d, type PlannerRows } from "../../lib/envs/planner.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

const umaze = mazes.get("maze2d-umaze")!;

const position = (data: PlannerRows, row: number): Point => [
  data.qpos[2 * row]!,
  data.qpos[2 * row + 1]!,
];

const share = (values: ArrayLike<number>, of: (value: number, row: number) => boolean): number =>
  Array.from(values).filter(of).length / values.length;

Deno.test({
  name: "collectMaze2d(): 100,000 rows match the statistics of an independent planner",
  ignore,
  async fn() {
    const rows = 100_000;
    const data = await collectMaze2d("maze2d-umaze-v1", rows, 1);
    // Tolerances are three standard deviations of the difference of two such data sets. The
    // standard deviations over sixteen seeds are 0.0042, 20 and 0.0051.
    const tolerance = (deviation: number) => 3 * Math.SQRT2 * deviation;
    const rewarded = share(data.rewards, (reward) => reward === 1);
    assertLess(Math.abs(rewarded - 0.07832), tolerance(0.0042));
    const routes = data.timeouts.reduce((sum, flag) => sum + flag, 0);
    assertLess(Math.abs(routes - 1322), tolerance(20));
    const occupancy: [number, number, number][] = [
      [1, 1, 0.0789],
      [1, 2, 0.1387],
      [1, 3, 0.2065],
      [2, 3, 0.1873],
      [3, 1, 0.0693],
      [3, 2, 0.1340],
      [3, 3, 0.1853],
    ];
    for (const [row, column, expected] of occupancy) {
      const inside = share(data.rewards, (_, i) => {
        const [x, y] = position(data, i);
        return Math.round(x) === row && Math.round(y) === column;
      });
      assertLess(Math.abs(inside - expected), tolerance(0.0051));
    }
    // Share of rows with a motor at its limit: 0.406 and 0.545 in the independent data set.
    for (const [axis, expected] of [0.406, 0.545].entries()) {
      const actions = data.actions.filter((_, i) => i % 2 === axis);
      assertLess(Math.abs(share(actions, (action) => Math.abs(action) === 1) - expected), 0.02);
    }
  },
});

Deno.test({
  name: "collectMaze2d(): the environment reproduces each row's step bit for bit",
  ignore,
  async fn() {
    const rows = 300;
    const data = await collectMaze2d("maze2d-medium-v1", rows, 2);
    const batch = await makeEnvironment("maze2d-medium-v1", 1);
    for (let row = 0; row + 1 < rows; row++) {
      await batch.resetTo(
        data.qpos.slice(2 * row, 2 * row + 2),
        data.qvel.slice(2 * row, 2 * row + 2),
      );
      const actions = Float64Array.from(data.actions.subarray(2 * row, 2 * row + 2));
      const { observations } = await batch.step(actions);
      const next = [...position(data, row + 1), ...data.qvel.slice(2 * row + 2, 2 * row + 4)];
      assertEquals([...observations], next);
      assertEquals(
        [...data.observations.subarray(4 * row + 4, 4 * row + 8)],
        next.map(Math.fround),
      );
    }
    await batch.close();
  },
});

Deno.test({
  name:
    "collectMaze2d(): ends a route within 0.1 of its goal and continues from there to a new one",
  ignore,
  async fn() {
    const data = await collectMaze2d("maze2d-umaze-v1", 20_000, 3);
    const free = umaze.freeCells().map((cell) => umaze.point(cell).join());
    let routes = 0;
    for (let row = 0; row < data.timeouts.length; row++) {
      const goal: Point = [data.goals[2 * row]!, data.goals[2 * row + 1]!];
      assert(free.includes(goal.join()));
      const [x, y] = position(data, row);
      if (row > 0 && data.timeouts[row - 1] === 0) {
        assertEquals(goal, [data.goals[2 * row - 2]!, data.goals[2 * row - 1]!]);
      }
      if (row > 0) {
        const [lastX, lastY] = position(data, row - 1);
        assertLess(Math.hypot(x - lastX, y - lastY), 0.08);
      }
      if (data.timeouts[row] === 1) {
        routes++;
        assertLess(Math.hypot(x - goal[0], y - goal[1]), 0.1);
      }
    }
    assert(routes > 200);
    assertEquals(share(data.terminals, (flag) => flag === 1), 0);
  },
});

Deno.test({
  name: "collectMaze2d(): gives up a route at the step limit",
  ignore,
  async fn() {
    // Only the open maze's limit of 150 steps is short enough for routes to reach it.
    const data = await collectMaze2d("maze2d-open-v0", 30_000, 4);
    const ends = [...data.timeouts.entries()].filter(([, flag]) => flag === 1).map(([row]) => row);
    const lengths = ends.slice(1).map((end, i) => end - ends[i]!);
    assertLessOrEqual(Math.max(...lengths), 150);
  },
});

Deno.test({
  name: "collectMaze2d(): rewards exp(-distance to the fixed target) in a dense task",
  ignore,
  async fn() {
    const data = await collectMaze2d("maze2d-umaze-dense-v1", 500, 5);
    for (const [row, reward] of data.rewards.entries()) {
      const [x, y] = position(data, row);
      assertEquals(reward, Math.fround(Math.exp(-Math.hypot(x - 1, y - 1))));
    }
  },
});

Deno.test({
  name: "collectMaze2d(): equal seeds give equal rows, different seeds different rows",
  ignore,
  async fn() {
    const first = await collectMaze2d("maze2d-umaze-v1", 1000, 6);
    assertEquals(await collectMaze2d("maze2d-umaze-v1", 1000, 6), first);
    const other = await collectMaze2d("maze2d-umaze-v1", 1000, 7);
    assert(other.observations.some((entry, i) => entry !== first.observations[i]));
  },
});

Deno.test("collectMaze2d(): rejects other tasks and a row count of 0", async () => {
  await assertRejects(
    () => collectMaze2d("hopper", 10, 0),
    UserError,
    "maze2d task (maze2d-open-v0",
  );
  await assertRejects(() => collectMaze2d("maze2d-umaze-v1", 0, 0), UserError, "got 0");
});
