import { assertAlmostEquals } from "@std/assert";
import { alpha, logRatio, sigma, timeOfLogRatio } from "../../lib/diffusion/schedule.ts";
import { mayReadFixtures, Reference } from "../nn/host/fixtures.ts";

Deno.test({
  name: "alpha() and sigma(): match the official code to 1e-12",
  ignore: !mayReadFixtures,
  fn() {
    const reference = new Reference("ops");
    const times = reference.get("vp_schedule.t");
    times.forEach((t, i) => {
      assertAlmostEquals(alpha(t), reference.get("vp_schedule.alpha")[i]!, 1e-12);
      assertAlmostEquals(sigma(t), reference.get("vp_schedule.sigma")[i]!, 1e-12);
    });
  },
});

Deno.test("timeOfLogRatio(): inverts logRatio(), which is ln(α/σ)", () => {
  for (const t of [1e-5, 1e-3, 0.02, 0.3, 0.98, 1]) {
    assertAlmostEquals(logRatio(t), Math.log(alpha(t) / sigma(t)), 1e-9);
    assertAlmostEquals(timeOfLogRatio(logRatio(t)), t, 1e-12);
  }
});
