import { assertEquals } from "@std/assert";
import { PositionRecorder } from "../../lib/envs/position_recorder.ts";

/** Reports three episodes of two positions, of which the first one is played again. */
function play(recorder: PositionRecorder): PositionRecorder {
  [0, 1].forEach(recorder.begin);
  recorder.positions([0, 1], Float64Array.from([1, 2, 3, 4]));
  recorder.positions([1], Float64Array.from([5, 6]));
  [2, 0].forEach(recorder.begin);
  recorder.positions([2, 0], Float64Array.from([7, 8, 9, 10]));
  return recorder;
}

Deno.test("PositionRecorder: keeps each episode's rows, and none of an earlier attempt", () => {
  const recorder = play(new PositionRecorder());
  assertEquals(
    recorder.qpos,
    [[[9, 10]], [[3, 4], [5, 6]], [[7, 8]]].map(
      (rows) => rows.map((row) => Float64Array.from(row)),
    ),
  );
  assertEquals(recorder.paths(), [[9, 10], [3, 4, 5, 6], [7, 8]]);
});

Deno.test("PositionRecorder: keeps only the given number of episodes", () => {
  assertEquals(play(new PositionRecorder(1)).qpos, [[Float64Array.from([9, 10])]]);
});
