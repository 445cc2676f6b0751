import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { episodeReturnRange, returnRange, shapeRewards } from "../../lib/data/rewards.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { mayUseFiles, projectFile } from "./files.ts";

/** Returns columns without timeouts, in which the last row is a transition too. */
function columns(rewards: number[], terminals: number[]) {
  return {
    rewards: Float32Array.from(rewards),
    terminals: Float32Array.from(terminals),
    transitions: Uint32Array.from(rewards, (_, row) => row),
  };
}

Deno.test("returnRange() cuts at terminals and ignores the unfinished piece", () => {
  const range = returnRange(columns([1, 2, 4, 8, 100], [0, 1, 0, 1, 0]));
  assertEquals(range, { min: 3, max: 12 });
  assertEquals(returnRange(columns([1, 2], [0, 0])), null);
});

Deno.test("returnRange() cuts after 1000 of the remaining rows", () => {
  const rewards = Array.from({ length: 2001 }, (_, i) => i < 1001 ? 1 : 2);
  const data = columns(rewards, rewards.map(() => 0));
  assertEquals(returnRange(data), { min: 1000, max: 1999 });
  // Without row 0, the pieces begin one row later.
  assertEquals(returnRange({ ...data, transitions: data.transitions.slice(1) }), {
    min: 1000,
    max: 2000,
  });
});

Deno.test("shapeRewards() minus_one, plus_minus_two and none", () => {
  const data = columns([0, 1, 0.5], [0, 1, 0]);
  assertEquals(shapeRewards(data, "minus_one"), Float32Array.of(-1, 0, -0.5));
  assertEquals(shapeRewards(data, "plus_minus_two"), Float32Array.of(-2, 2, 0));
  const same = shapeRewards(data, "none");
  assertEquals(same, data.rewards);
  same[0] = 9;
  assertEquals(data.rewards[0], 0);
});

Deno.test("shapeRewards() return_range rejects data without a range of returns", () => {
  const unfinished = columns([1, 2], [0, 0]);
  assertThrows(() => shapeRewards(unfinished, "return_range"), UserError, "no episode in the data");
  const constant = columns([1, 1], [1, 1]);
  assertThrows(() => shapeRewards(constant, "return_range"), UserError, "all returns are 1");
  for (const rule of ["return_range", "episode_return_range"] as const) {
    assertThrows(
      () => shapeRewards({ ...constant, transitions: Uint32Array.of() }, rule),
      UserError,
      "the data have no transitions",
    );
  }
});

Deno.test({
  name: "shapeRewards() return_range is bit-identical to the official code (reward_loco)",
  ignore: !mayUseFiles || Deno.permissions.querySync({ name: "env" }).state !== "granted",
  async fn() {
    const folder = Deno.env.get("SRPO_FIXTURES") ?? projectFile("tests/fixtures/pytorch");
    const path = `${folder}/ops.safetensors`;
    const { tensors } = decode(await Deno.readFile(path), path);
    const fixture = (name: string) =>
      Float32Array.from(tensors.get(`reward_loco.${name}`)!.data as Float32Array);
    const data = {
      rewards: fixture("r"),
      terminals: fixture("terminal"),
      transitions: Uint32Array.from({ length: 3300 }, (_, row) => row),
    };
    const [min, max] = tensors.get("reward_loco.range")!.data as Float64Array;
    const range = returnRange(data)!;
    assertAlmostEquals(range.min, min!, 1e-9);
    assertAlmostEquals(range.max, max!, 1e-9);
    assertEquals(shapeRewards(data, "return_range"), fixture("y32"));
  },
});

Deno.test({
  name: "returnRange() of hopper-mixed-20k matches the official pipeline's 3767.2",
  ignore: !mayUseFiles,
  async fn() {
    const { loadDataset } = await import("../../lib/data/dataset.ts");
    const path = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");
    const { min, max } = returnRange(await loadDataset([path]))!;
    assertAlmostEquals(max - min, 3767.2, 0.05);
  },
});

Deno.test("episodeReturnRange() cuts at terminals and at dropped rows, and counts the unfinished piece", () => {
  const data = columns([1, 2, 4, 8, 16, 32, 64], [0, 1, 0, 0, 0, 0, 0]);
  // Row 4 ended an episode with a timeout, so it is not a transition.
  const transitions = Uint32Array.of(0, 1, 2, 3, 5, 6);
  assertEquals(episodeReturnRange({ ...data, transitions }), { min: 3, max: 96 });
  const first = { ...data, transitions: transitions.slice(0, 4) };
  assertEquals(episodeReturnRange(first), { min: 3, max: 12 });
  const scaled = shapeRewards(first, "episode_return_range");
  assertEquals(scaled[0], Math.fround(Math.fround(1 / 9) * 1000));
});

Deno.test("episodeReturnRange() does not cut after 1000 rows", () => {
  const rewards = Array.from({ length: 2001 }, (_, i) => i < 1500 ? 1 : 2);
  const data = columns(rewards, rewards.map((_, i) => Number(i === 1499)));
  assertEquals(episodeReturnRange(data), { min: 1002, max: 1500 });
  assertThrows(
    () => shapeRewards(columns([1, 2], [0, 0]), "episode_return_range"),
    UserError,
    "all returns are 3",
  );
});
