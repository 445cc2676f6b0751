import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import {
  type CacheContext,
  type CachedStage,
  StageCache,
  stageKey,
} from "../../lib/runs/stage_cache.ts";
import { encode } from "../../lib/runs/safetensors.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const hyperparameters = hyperparametersFor("maze2d", "quick");
const context: CacheContext = {
  version: "0.1.0",
  data: "00ff",
  adapter: { name: "llvmpipe", matmul: "registers" },
};
const [criticStage, behaviorStage] = srpo.stages;
const critic: CachedStage = {
  algorithm: srpo,
  stage: criticStage!,
  seed: 0,
  hyperparameters,
  kernels: ["fn main() {}"],
  inputs: {},
};

Deno.test("stageKey() changes with everything that determines a stage's bits", () => {
  const key = stageKey(context, critic);
  assertEquals(key.length, 64);
  const others: [CacheContext, CachedStage][] = [
    [{ ...context, version: "0.1.1" }, critic],
    [{ ...context, data: "00fe" }, critic],
    [{ ...context, adapter: { ...context.adapter, matmul: "subgroups" } }, critic],
    [context, { ...critic, seed: 1 }],
    [context, { ...critic, stage: behaviorStage! }],
    [context, { ...critic, stage: { ...criticStage!, name: "behavior" } }],
    [context, { ...critic, algorithm: { ...srpo, name: "iql" } }],
    [context, { ...critic, kernels: ["fn main() { }"] }],
    [context, { ...critic, inputs: { critic: "aa" } }],
    [context, { ...critic, hyperparameters: { ...hyperparameters, expectile: 0.8 } }],
    [context, { ...critic, hyperparameters: { ...hyperparameters, criticSteps: 1 } }],
    [context, { ...critic, hyperparameters: { ...hyperparameters, rewardRule: "minus_one" } }],
  ];
  for (const [where, what] of others) assertNotEquals(stageKey(where, what), key);
});

Deno.test("stageKey() ignores hyperparameters of other stages and the order of fields", () => {
  const key = stageKey(context, critic);
  const changed = { ...hyperparameters, beta: 9, policySteps: 1, behaviorWidth: 8 };
  assertEquals(stageKey(context, { ...critic, hyperparameters: changed }), key);
  const reversed = Object.fromEntries(Object.entries(hyperparameters).toReversed());
  assertEquals(
    stageKey({
      adapter: { matmul: "registers", name: "llvmpipe" },
      data: "00ff",
      version: "0.1.0",
    }, { ...critic, hyperparameters: reversed as typeof hyperparameters }),
    key,
  );
});

/** The entry without its checkpoint. */
const first = {
  run: "runs/first",
  task: "maze2d-umaze-v1",
  metrics: [{
    time: "2026-01-02T03:04:05.678Z",
    stage: "critic",
    step: 1,
    seed: 0,
    variant: null,
    metrics: { loss: 0.1 },
    episodes: null,
  }],
};

/** Returns a checkpoint. */
function checkpointOf(value: number): Uint8Array {
  return encode(
    new Map([["w", { dtype: "F32", shape: [1], data: Float32Array.of(value) }]]),
    { step: "1" },
  );
}

/** Tests with a cache that holds a checkpoint under "key". */
function cacheTest(
  name: string,
  body: (
    place: { cache: StageCache; folder: string; checkpoint: string; messages: string[] },
  ) => void | Promise<void>,
) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const root = Deno.makeTempDirSync();
      try {
        const folder = join(root, ".cache");
        const messages: string[] = [];
        const cache = new StageCache(folder, (message) => messages.push(message));
        const checkpoint = join(root, "critic.safetensors");
        Deno.writeFileSync(checkpoint, checkpointOf(1));
        assertEquals(cache.find("key"), null);
        await cache.store("key", { checkpoint, ...first });
        assertEquals(messages, []);
        await body({ cache, folder, checkpoint, messages });
      } finally {
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

cacheTest("StageCache.find() returns the stored checkpoint, run, task and metrics", ({ cache }) => {
  const { checkpoint, ...entry } = cache.find("key")!;
  assertEquals(entry, first);
  assertEquals(Deno.readFileSync(checkpoint), checkpointOf(1));
  assertEquals(cache.find("other"), null);
});

cacheTest("StageCache.find() survives the deletion of the run", ({ cache, checkpoint }) => {
  Deno.removeSync(checkpoint);
  const entry = cache.find("key")!;
  assertEquals(Deno.readFileSync(entry.checkpoint), checkpointOf(1));
});

for (
  const [what, damage, message] of [
    ["a changed checkpoint", (folder: string) => {
      Deno.writeFileSync(join(folder, "key.safetensors"), checkpointOf(2));
    }, "its hash differs"],
    ["a truncated checkpoint", (folder: string) => {
      Deno.truncateSync(join(folder, "key.safetensors"), 30);
    }, "its hash differs"],
    ["an entry without description", (folder: string) => {
      Deno.removeSync(join(folder, "key.json"));
    }, "it is incomplete"],
    ["an entry without checkpoint", (folder: string) => {
      Deno.removeSync(join(folder, "key.safetensors"));
    }, "it is incomplete"],
    ["half a description", (folder: string) => {
      Deno.writeTextFileSync(join(folder, "key.json"), '{"run": "ru');
    }, "is not JSON"],
    ["a description with a changed number", (folder: string) => {
      const path = join(folder, "key.json");
      const text = Deno.readTextFileSync(path);
      Deno.writeTextFileSync(path, text.replace("0.1", "0.5"));
    }, "its checksum differs"],
    ["a description of something else", (folder: string) => {
      Deno.writeTextFileSync(join(folder, "key.json"), "null");
    }, "expected a JSON object, found null"],
  ] as const
) {
  cacheTest(
    `StageCache.find() ignores ${what}, with a message, until it is stored again`,
    async ({ cache, folder, checkpoint, messages }) => {
      damage(folder);
      assertEquals(cache.find("key"), null);
      assertEquals(messages.length, 1);
      assertStringIncludes(messages[0]!, message);
      Deno.writeFileSync(`${checkpoint}.new`, checkpointOf(7));
      await cache.store("key", { ...first, checkpoint: `${checkpoint}.new`, run: "runs/second" });
      assertEquals(cache.find("key")!.run, "runs/second");
    },
  );
}

cacheTest(
  "StageCache.find() ignores the entry of another key, with a message",
  async ({ cache, folder, checkpoint, messages }) => {
    await cache.store("other", { ...first, checkpoint });
    for (const end of ["safetensors", "json"]) {
      Deno.renameSync(join(folder, `other.${end}`), join(folder, `key.${end}`));
    }
    assertEquals(cache.find("key"), null);
    assertStringIncludes(messages[0]!, "is the entry of another key");
  },
);

cacheTest("StageCache.store() announces a failed write and continues", async ({ checkpoint }) => {
  const messages: string[] = [];
  const cache = new StageCache(join(checkpoint, "sub"), (message) => messages.push(message));
  await cache.store("key", { checkpoint, ...first });
  assertEquals(messages.length, 1);
  assertStringIncludes(messages[0]!, "is not cached");
});

cacheTest("StageCache.store() refuses a damaged checkpoint", async ({ checkpoint, folder }) => {
  const bytes = checkpointOf(3);
  bytes[bytes.length - 2]! ^= 1;
  Deno.writeFileSync(checkpoint, bytes);
  const messages: string[] = [];
  const cache = new StageCache(folder, (message) => messages.push(message));
  await cache.store("key", { checkpoint, ...first });
  assertEquals(messages.length, 1);
  assertStringIncludes(messages[0]!, "its checksum differs");
  assertEquals(cache.find("key"), null);
});

cacheTest(
  "StageCache.store() makes a copy that later writes do not change",
  ({ cache, checkpoint }) => {
    {
      using file = Deno.openSync(checkpoint, { write: true });
      file.writeSync(new Uint8Array(8));
    }
    assertEquals(Deno.readFileSync(cache.find("key")!.checkpoint), checkpointOf(1));
  },
);
