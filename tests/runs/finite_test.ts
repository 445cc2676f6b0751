import { assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { assertFinite } from "../../lib/runs/finite.ts";

Deno.test("assertFinite() names stage, step and metric", () => {
  assertFinite("critic", 1, { q_loss: -1e38, v_loss: [0, 5e-324] });
  const nan = assertThrows(
    () => assertFinite("critic", 1200, { v_loss: 1, q_loss: NaN }),
    UserError,
  );
  assertStringIncludes(nan.message, "critic stage, step 1200: q_loss is NaN");
  const infinite = assertThrows(
    () => assertFinite("policy", 7, { loss: [1, 2, -Infinity] }),
    UserError,
  );
  assertStringIncludes(infinite.message, "policy stage, step 7: loss of replica 2 is -Infinity");
});
