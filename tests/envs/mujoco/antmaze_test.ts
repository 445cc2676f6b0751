import { assert, assertEquals, assertLess } from "@std/assert";
import type { EnvironmentBatch } from "../../../lib/envs/environment.ts";
import { mazes } from "../../../lib/envs/mazes.ts";
import { collected } from "../../../lib/envs/mujoco/antmaze.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, ignore, fn });
}

const still = new Float64Array(8);

/** Places the first ant at a point with the given horizontal speed, otherwise at rest. */
async function place(
  batch: EnvironmentBatch,
  [x, y]: readonly [number, number],
  speed: readonly [number, number] = [0, 0],
) {
  const qpos = new Float64Array(15);
  qpos.set([x, y, 0.75, 1, 0, 0, 0, 0, 1, 0, -1, 0, -1, 0, 1]);
  const qvel = new Float64Array(14);
  qvel.set(speed);
  return await batch.resetTo(qpos, qvel, [0]);
}

test("antmaze: observes qpos (including x and y) and qvel, but not the goal", async () => {
  const batch = await makeEnvironment("antmaze-umaze-v2", 1);
  const observation = await batch.reset([1]);
  const { qpos, qvel } = (await batch.state())!;
  assertEquals([...observation], [...qpos, ...qvel]);
  await batch.close();
});

test("antmaze: starts in the start cell with the noise of gym's ant", async () => {
  const batch = await makeEnvironment("antmaze-large-play-v2", 1);
  const initial = (await batch.state())!.qpos;
  let largest = 0;
  let squares = 0;
  for (let seed = 0; seed < 300; seed++) {
    await batch.reset([seed]);
    const { qpos, qvel } = (await batch.state())!;
    largest = Math.max(largest, ...qpos.map((at, i) => Math.abs(at - initial[i]!)));
    squares += qvel.reduce((sum, speed) => sum + speed * speed, 0);
  }
  assertEquals([...initial.slice(0, 3)], [0, 0, 0.75]);
  assert(largest > 0.099 && largest <= 0.1 + 1e-15);
  // For 4200 normal numbers, the relative standard error of the standard deviation is 1.1 %.
  assertLess(Math.abs(Math.sqrt(squares / 4200) - 0.1), 0.0055);
  await batch.close();
});

test("antmaze: ends with reward 1 within 0.5 m of a goal drawn near the goal cell at each reset", async () => {
  // The goal is the goal cell's center (0, 8) plus U(0, 1) + U(0, 0.5) per axis. The ant is placed
  // on a grid of points around it.
  const batch = await makeEnvironment("antmaze-umaze-v2", 1);
  const goals: [number, number][] = [];
  const grid = Array.from({ length: 9 }, (_, i) => -0.5 + 0.3125 * i);
  for (let seed = 0; seed < 12; seed++) {
    await batch.reset([seed]);
    const won: [number, number][] = [];
    for (const x of grid) {
      for (const y of grid) {
        await place(batch, [x, 8 + y]);
        const { rewards, terminated, observations } = await batch.step(still);
        assertEquals(rewards[0], terminated[0]);
        if (terminated[0] === 1) won.push([observations[0]!, observations[1]!]);
      }
    }
    const mean = (axis: 0 | 1) => won.reduce((sum, at) => sum + at[axis], 0) / won.length;
    const goal: [number, number] = [mean(0), mean(1)];
    for (const at of won) assertLess(Math.hypot(at[0] - goal[0], at[1] - goal[1]), 0.5 + 0.16);
    // A disc of radius 0.5 contains about π 0.25 / 0.3125² = 8 grid points.
    assert(won.length >= 4 && won.length <= 13, `${won.length} grid points reached the goal`);
    // Their mean is within half a grid spacing of the goal.
    assert(goal[0] > -0.16 && goal[0] < 1.66 && goal[1] > 7.84 && goal[1] < 9.66);
    goals.push(goal);
  }
  const spread = (axis: 0 | 1) => {
    const values = goals.map((goal) => goal[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  assert(spread(0) > 0.5 && spread(1) > 0.5);
  await batch.close();
});

test("antmaze: continues when the ant lies on its back, for 700 steps in umaze", async () => {
  const batch = await makeEnvironment("antmaze-umaze-v2", 1);
  await batch.reset([1]);
  const { qpos, qvel } = (await batch.state())!;
  qpos.set([0, 0, 0.3, 0, 1, 0, 0]);
  await batch.resetTo(qpos, qvel);
  for (let t = 1; t <= 700; t++) {
    const { rewards, terminated, truncated } = await batch.step(still);
    assertEquals([rewards[0], terminated[0], truncated[0]], [0, 0, Number(t === 700)]);
  }
  await batch.close();
});

test("antmaze: walls stop the ant and corridors do not", async () => {
  const batch = await makeEnvironment("antmaze-umaze-v2", 1);
  // Walls are above and left of the start cell, 2 m from its center. The cell to the right is free.
  const after = async (speed: readonly [number, number]) => {
    await place(batch, [0, 0], speed);
    let reached = [0, 0];
    for (let t = 0; t < 30; t++) reached = [...(await batch.step(still)).observations.slice(0, 2)];
    return reached as [number, number];
  };
  await batch.reset([1]);
  const [right] = await after([8, 0]);
  const [left] = await after([-8, 0]);
  const [, up] = await after([0, -8]);
  assert(right > 2.2, `came to x = ${right}`);
  assert(left > -1.75, `came to x = ${left}`);
  assert(up > -1.75, `came to y = ${up}`);
  await batch.close();
});

test("antmaze: scales actions of ±1 to the motor range ±30", async () => {
  const batch = await makeEnvironment("antmaze-umaze-v2", 1);
  await batch.reset([1]);
  const endOf = async (action: number) => {
    await place(batch, [0, 0]);
    return [...(await batch.step(new Float64Array(8).fill(action))).observations];
  };
  const full = await endOf(1);
  // Motors clip beyond the range; within it, a smaller action has a smaller effect.
  assertEquals(await endOf(3), full);
  assert(Math.abs(full[7]! - (await endOf(0.5))[7]!) > 0.01);
  await batch.close();
});

test("antmaze: episodes of collected data start and end in the cells of D4RL's data", async () => {
  const cells = (name: string) =>
    mazes.get(name)!.dataGoals.map(({ row, column }) => [row, column]);
  assertEquals(cells("antmaze-umaze"), [[3, 1]]);
  assertEquals(cells("antmaze-medium"), [[2, 6], [5, 1], [6, 5]]);
  assertEquals(cells("antmaze-large"), [[1, 6], [3, 5], [3, 10], [5, 2], [7, 4], [7, 6], [7, 9]]);

  const maze = mazes.get("antmaze-medium")!;
  const count = 60;
  const seeds = Array.from({ length: count }, (_, i) => i);
  for (
    const [task, goalCells] of [
      ["antmaze-medium-play-v2", maze.dataGoals],
      ["antmaze-medium-diverse-v2", maze.freeCells()],
    ] as const
  ) {
    const environment = await makeEnvironment(task, count, { collection: true });
    const observations = await environment.reset(seeds);
    const { qpos } = (await environment.state())!;
    const starts = new Set<string>();
    for (const i of seeds) {
      const [x, y] = [observations[29 * i]!, observations[29 * i + 1]!];
      assertEquals([qpos[15 * i], qpos[15 * i + 1]], [x, y]);
      // A start is the cell's point plus up to 1 m, and at least 0.
      const start = maze.freeCells().find((cell) => {
        const [cellX, cellY] = maze.point(cell);
        return x >= Math.max(0, cellX) && x <= cellX + 1 && y >= Math.max(0, cellY) &&
          y <= cellY + 1;
      })!;
      assert(
        !maze.dataGoals.some(({ row, column }) => row === start.row && column === start.column),
      );
      starts.add(`${start.row} ${start.column}`);
    }
    assert(starts.size > 10, `${starts.size} starts`);
    assertEquals(collected(maze, task.includes("diverse")).goals, goalCells);
    await environment.close();
  }
});
