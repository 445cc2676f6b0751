import { assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  areBounds,
  boundsText,
  fromUnit,
  scaledPolicy,
  toUnit,
} from "../../../lib/nn/host/action_bounds.ts";

Deno.test("scaledPolicy() maps [-1, 1] to each entry's own range, for every row", () => {
  const policy = {
    observationSize: 1,
    actionSize: 2,
    act: () => Float64Array.of(-1, 1, 0, 0.5),
  };
  const actions = scaledPolicy(policy, { low: [-2, 0], high: [2, 4] }).act(
    new Float64Array(2),
    [],
  );
  assertEquals(actions, Float64Array.of(-2, 4, 0, 3));
});

Deno.test("toUnit() undoes fromUnit()", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: -100, max: 99, noNaN: true }),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      (value, low, width) => {
        const bounds = { low: [low], high: [low + width] };
        assertAlmostEquals(toUnit(fromUnit(value, bounds, 0), bounds, 0), value, 1e-9);
      },
    ),
  );
});

Deno.test("areBounds() refuses what cannot be scaled; boundsText() shows pairs once", () => {
  for (
    const [low, high] of [[[], []], [[-1], [1, 1]], [[1], [1]], [[-Infinity], [1]], [[NaN], [1]]]
  ) assertEquals(areBounds({ low: low!, high: high! }), false);
  assertEquals(areBounds({ low: [-2], high: [2] }), true);
  assertEquals(boundsText({ low: [-2, -2], high: [2, 2] }), "[-2, 2]");
  assertEquals(boundsText({ low: [0, -2], high: [1, 2] }), "[0, 1] × [-2, 2]");
});
