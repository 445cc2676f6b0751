import { assert } from "@std/assert";
import { readCases } from "./cases.ts";

const ignore = !(["read", "write", "env", "ffi", "run"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "2,000 cases of bad input each work or end with one clear error",
  ignore,
  fn: async () => {
    const counts = await readCases(2000);
    assert(Object.values(counts).reduce((sum, count) => sum + count) >= 2000);
  },
});
