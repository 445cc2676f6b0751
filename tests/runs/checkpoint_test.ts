import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import type { Network } from "../../lib/algorithms/algorithm.ts";
import type { ParameterValues } from "../../lib/autodiff/parameters.ts";
import { UserError } from "../../lib/errors.ts";
import { encodeCheckpoints, readCheckpoint } from "../../lib/runs/checkpoint.ts";
import { loadNetworks } from "../../lib/runs/networks.ts";
import { encode } from "../../lib/runs/safetensors.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

/** Returns a network of one weight and one bias whose values are `values`. */
function networkOf(values: ParameterValues): Network {
  const shapes = [{ name: "weight", rows: 1, segments: [2], vector: false }];
  return {
    prefixes: ["q."],
    parameters: {
      shapes,
      store: {},
      write: () => {},
      read: () => Promise.resolve([values]),
    },
    initial: () => values,
  } as unknown as Network;
}

Deno.test({
  name: "loadNetworks() rejects a value that is not finite, naming the file and the tensor",
  ignore,
  fn: () => {
    const folder = Deno.makeTempDirSync();
    const path = join(folder, "critic.safetensors");
    try {
      for (const bad of [NaN, Infinity]) {
        const data = Float32Array.of(1, bad);
        Deno.writeFileSync(
          path,
          encode(new Map([["q.weight", { dtype: "F32", shape: [1, 2], data }]])),
        );
        const checkpoint = readCheckpoint(path);
        assertThrows(
          () => loadNetworks("critic", [networkOf(new Map())], 0, [checkpoint], false),
          UserError,
          `${path}: tensor q.weight has the value ${bad} at entry 1`,
        );
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("encodeCheckpoints() rejects a value that is not finite", async () => {
  const network = networkOf(new Map([["weight", Float32Array.of(1, 2)]]));
  assertEquals((await encodeCheckpoints("critic", [network], 1, 7)).length, 1);
  const bad = networkOf(new Map([["weight", Float32Array.of(NaN, 2)]]));
  await assertRejects(
    () => encodeCheckpoints("critic", [bad], 1, 7),
    UserError,
    "critic stage, step 7: tensor q.weight has the value NaN at entry 0",
  );
});
