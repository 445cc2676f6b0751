import { assertAlmostEquals, assertEquals } from "@std/assert";
import { countsSuccess, normalizedScore, referenceReturn } from "../../lib/envs/scores.ts";

Deno.test("normalizedScore(): is 0 at the random policy's return and 100 at the expert's", () => {
  const reference = referenceReturn("hopper-medium-v2")!;
  assertEquals(normalizedScore(-20.272305, reference), 0);
  assertEquals(normalizedScore(3234.3, reference), 100);
  // A data set's mean return and score as published by its authors.
  assertAlmostEquals(normalizedScore(3747.9, reference), 115.8, 0.05);
});

Deno.test("referenceReturn(): has D4RL's returns for each family", () => {
  const references = [
    "halfcheetah-medium-expert-v2",
    "walker2d-random-v2",
    "ant-expert-v2",
    "Hopper-v4",
    "hopper",
    "antmaze-large-diverse-v2",
    "maze2d-umaze-v1",
    "maze2d-medium-v1",
    "maze2d-large-v1",
    "maze2d-open-v0",
    "maze2d-umaze-dense-v1",
    "maze2d-medium-dense-v1",
    "maze2d-large-dense-v1",
    "maze2d-open-dense-v0",
  ].map((id) => Object.values(referenceReturn(id)!));
  assertEquals(references, [
    [-280.178953, 12135],
    [1.629008, 4592.3],
    [-325.6, 3879.7],
    [-20.272305, 3234.3],
    [-20.272305, 3234.3],
    [0, 1],
    [23.85, 161.86],
    [13.13, 277.39],
    [6.7, 273.99],
    [0.01, 20.66],
    [68.537689, 193.66285642381482],
    [44.264742, 297.4552547777125],
    [30.569041, 303.4857382709002],
    [11.17817, 27.166538620695782],
  ]);
});

Deno.test("referenceReturn(): is null for an id that is not built in", () => {
  assertEquals(referenceReturn("door-human-v0"), null);
});

Deno.test("countsSuccess(): is true only for antmaze", () => {
  assertEquals(countsSuccess("antmaze-medium-play-v2"), true);
  assertEquals(countsSuccess("maze2d-large-v1"), false);
  assertEquals(countsSuccess("ant-medium-v2"), false);
});
