import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { mazes } from "../../../lib/envs/mazes.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

function test(name: string, fn: () => Promise<void>) {
  Deno.test({ name, ignore, fn });
}

const still = new Float64Array(2);

test("maze2d: starts in every free cell, including the goal cell, with D4RL's noise", async () => {
  const batch = await makeEnvironment("maze2d-umaze-v1", 1);
  const counts = new Map<string, number>();
  let largest = 0;
  let squares = 0;
  for (let seed = 0; seed < 2000; seed++) {
    const [x, y, velocityX, velocityY] = await batch.reset([seed]) as unknown as number[];
    const cell = `${Math.round(x!)},${Math.round(y!)}`;
    counts.set(cell, (counts.get(cell) ?? 0) + 1);
    largest = Math.max(largest, Math.abs(x! - Math.round(x!)), Math.abs(y! - Math.round(y!)));
    squares += velocityX! ** 2 + velocityY! ** 2;
  }
  const free = mazes.get("maze2d-umaze")!.freeCells().map(({ row, column }) => `${row},${column}`);
  assertEquals([...counts.keys()].sort(), free.sort());
  // Five standard deviations of a binomial count: 5 √(2000 · 6 / 49).
  for (const count of counts.values()) assertAlmostEquals(count, 2000 / 7, 79);
  assert(largest > 0.099 && largest <= 0.1);
  assertAlmostEquals(Math.sqrt(squares / 4000), 0.1, 0.0056);
  await batch.close();
});

test("maze2d: rewards 1 within 0.5 of the target, exp(-distance) if dense, and never terminates", async () => {
  const targets = { umaze: [1, 1], medium: [6, 6], large: [7, 9], open: [2, 3] };
  for (const [size, [targetX, targetY]] of Object.entries(targets)) {
    const version = size === "open" ? "v0" : "v1";
    const sparse = await makeEnvironment(`maze2d-${size}-${version}`, 1);
    const dense = await makeEnvironment(`maze2d-${size}-dense-${version}`, 1);
    for (const [offset, reward] of [[0, 1], [-0.499, 1], [-0.501, 0]] as const) {
      const position = Float64Array.of(targetX!, targetY! + offset);
      for (const [batch, expected] of [[sparse, reward], [dense, Math.exp(offset)]] as const) {
        await batch.resetTo(position, still);
        const { rewards, terminated } = await batch.step(still);
        assertAlmostEquals(rewards[0]!, expected, 1e-12);
        assertEquals(terminated[0], 0);
      }
    }
    await sparse.close();
    await dense.close();
  }
});

test("maze2d: clips actions to ±1, and velocities to ±5 before each step", async () => {
  const batch = await makeEnvironment("maze2d-open-v0", 1);
  const stepFrom = async (speed: number, action: number) => {
    await batch.resetTo(Float64Array.of(2, 2), Float64Array.of(0, speed));
    return [...(await batch.step(Float64Array.of(0, action))).observations];
  };
  assertEquals(await stepFrom(0, 7), await stepFrom(0, 1));
  assertEquals(await stepFrom(9, 0), await stepFrom(5, 0));
  assertEquals(await stepFrom(-9, 0), await stepFrom(-5, 0));
  // One timestep of 0.01 s with implicit damping 1: (m v + 0.01 · 100 a) / (m + 0.01), m = 4.18879
  // kg.
  const mass = 4000 / 3 * Math.PI * 0.1 ** 3;
  const speed = (mass * 5 + 1) / (mass + 0.01);
  const [, y, , velocity] = await stepFrom(6, 1);
  assertAlmostEquals(velocity!, speed, 1e-12);
  assertAlmostEquals(y!, 2 + 0.01 * speed, 1e-12);
  await batch.close();
});

test("maze2d: walls stop the ball one radius before their faces", async () => {
  const batch = await makeEnvironment("maze2d-umaze-v1", 1);
  // From cell (1, 1), pushed up, left and down, where the wall faces are at 0.3, 0.3 and 1.3.
  for (
    const [push, axis, rest] of [[[-0.2, 0], 0, 0.4], [[0, -0.2], 1, 0.4], [
      [0.2, 0],
      0,
      1.2,
    ]] as const
  ) {
    await batch.resetTo(Float64Array.of(1, 1), still);
    let at = 0;
    for (let t = 0; t < 250; t++) {
      at = (await batch.step(Float64Array.from(push))).observations[axis]!;
      assertAlmostEquals(Math.min(Math.max(at, 0.4), 1.2), at, 0.06);
    }
    assertAlmostEquals(at, rest, 0.01);
  }
  await batch.close();
});

test("maze2d: truncates at 300 steps in umaze", async () => {
  const batch = await makeEnvironment("maze2d-umaze-v1", 1);
  await batch.reset([1]);
  for (let t = 1; t <= 300; t++) {
    assertEquals((await batch.step(still)).truncated[0], Number(t === 300));
  }
  await batch.close();
});
