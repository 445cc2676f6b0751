import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { playbackOf } from "../../lib/envs/playback.ts";
import { mayUseFiles } from "../data/files.ts";

const ignore = !mayUseFiles;

Deno.test({
  name: "playbackOf(): places the hopper's parts end to end, as its joints say",
  ignore,
  fn: async () => {
    // rootx, rootz, rooty, thigh, leg, foot
    const upright = Float64Array.from([0.5, 1.25, 0, 0, 0, 0]);
    const bent = Float64Array.from([0.5, 1.25, 0, 0, -Math.PI / 2, 0]);
    const { view, frames, radii, steps } = await playbackOf("hopper-medium-v2", [upright, bent]);
    assertEquals([view, steps, radii], ["side", 1, [0.05, 0.05, 0.04, 0.06]]);
    const [torso, thigh, leg] = [0, 1, 2].map((part) => frames[0]!.slice(4 * part, 4 * part + 4));
    const sorted = (part: number[] | undefined) => [part![0], ...[part![1]!, part![3]!].sort()];
    assertEquals(sorted(torso), [0.5, 1.05, 1.45]);
    assertEquals(sorted(thigh), [0.5, 0.6, 1.05]);
    assertEquals(sorted(leg), [0.5, 0.1, 0.6]);
    // The knee is at the lower end of the thigh; bent by a right angle, the leg is horizontal.
    const bentLeg = frames[1]!.slice(8, 12);
    assertAlmostEquals(bentLeg[1]!, 0.6, 1e-9);
    assertAlmostEquals(bentLeg[3]!, 0.6, 1e-9);
    assertAlmostEquals(Math.abs(bentLeg[0]! - bentLeg[2]!), 0.5, 1e-9);
  },
});

Deno.test({
  name: "playbackOf(): shows mazes from above, with at most 250 frames of a long episode",
  ignore,
  fn: async () => {
    const qpos = Array.from({ length: 301 }, (_, i) => Float64Array.from([1 + i / 1000, 1]));
    const { view, frames, stride, steps, walls, goal } = await playbackOf("maze2d-umaze-v1", qpos);
    assertEquals([view, stride, steps, frames.length], ["above", 2, 300, 151]);
    assertEquals(frames.at(-1), [2.5, 2.2, 2.5, 2.2]); // the body is 1.2 m from its position
    assertEquals([walls.length, goal], [18, [2.2, 2.2]]); // the goal is at (1, 1)
    const inside = walls.some(([x, y, half]) =>
      Math.abs(2.5 - x) < half && Math.abs(2.2 - y) < half
    );
    assert(!inside);
  },
});
