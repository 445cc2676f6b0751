import { assertAlmostEquals, assertEquals } from "@std/assert";
import { observationMoments } from "../../lib/data/moments.ts";

Deno.test("observationMoments() match numpy's over the transitions' states", () => {
  // Row 2 has a timeout, so it is not a transition.
  const { mean, deviation } = observationMoments({
    observationSize: 2,
    observations: Float32Array.of(1, 1e6, 4, 1e6 + 1, -90, 7, 4, 1e6 + 2, 0, 0),
    transitions: Uint32Array.of(0, 1, 3),
  });
  assertEquals([...mean], [3, 1e6 + 1]);
  // numpy.std([1, 4, 4]), numpy.std([0, 1, 2])
  assertAlmostEquals(deviation[0]!, 1.4142135623730951, 1e-15);
  assertAlmostEquals(deviation[1]!, 0.816496580927726, 1e-15);
});
