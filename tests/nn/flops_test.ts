import { assertEquals } from "@std/assert";
import { flopsOfBehaviorModel, flopsOfCandidates, flopsOfMlp } from "../../lib/nn/flops.ts";

Deno.test("flopsOfMlp(): SRPO's policy for hopper has 138 kFLOP", () => {
  // 11 → 256 → 256 → 3: 2816 + 65 536 + 768 weights.
  assertEquals(flopsOfMlp([11, 256, 256, 3]), 138_240);
  assertEquals(flopsOfMlp([5]), 0);
});

Deno.test("flopsOfBehaviorModel(): counts two FLOPs per weight", () => {
  const shape = {
    actionSize: 3,
    observationSize: 11,
    width: 256,
    blocks: 3,
    frequencies: 32,
    embedding: 128,
  };
  // Time: 64 → 128 → 128. Row: 142 → 256, three times 256 → 1024 → 256, and 256 → 3.
  assertEquals(flopsOfBehaviorModel(shape), {
    time: 2 * (8192 + 16_384),
    row: 2 * (36_352 + 3 * 524_288 + 768),
  });
});

Deno.test("flopsOfCandidates(): 32 candidates in 15 steps need 1.6 GFLOP for hopper", () => {
  const flops = flopsOfCandidates({
    model: { time: 49_152, row: 3_219_968 },
    // 14 → 256 → 256 → 1
    q: 138_752,
    heads: 2,
    candidates: 32,
    steps: 15,
  });
  assertEquals(flops, 15 * 49_152 + 480 * 3_219_968 + 64 * 138_752);
  assertEquals((flops / 1e9).toFixed(1), "1.6");
});
