/** Tests the advice on slow drivers. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { driverAdvice } from "../../lib/gpu/driver_advice.ts";

Deno.test("driverAdvice() advises a newer software driver only if the present one is old", () => {
  const advice = (driverVersion: string | null, software = true) =>
    driverAdvice({ software, driverVersion });
  assertStringIncludes(advice("Mesa 22.3.6")!, "Mesa 22.3.6 is a slow software driver");
  assertEquals(advice("Mesa 25.0.7-2"), null);
  assertEquals(advice("Mesa 22.3.6", false), null);
  assertEquals(advice("NVIDIA 550.54", false), null);
  assertEquals(advice(null), null);
});
