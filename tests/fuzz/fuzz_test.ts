import { assert } from "@std/assert";
import { inOwnProcess } from "../support/own_process.ts";
import { readCases } from "./cases.ts";

const ignore = !(["read", "write", "env", "ffi", "run"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

const name = "2,000 cases of bad input each work or end with one clear error";

Deno.test({
  name,
  ignore,
  // The cases change the current directory, and the memory of the process is measured. The soak reads
  // cases of other seeds.
  fn: inOwnProcess(import.meta.url, name, async () => {
    const counts = await readCases(2000, 1);
    assert(Object.values(counts).reduce((sum, count) => sum + count) >= 2000);
  }),
});
