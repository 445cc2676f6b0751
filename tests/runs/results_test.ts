import { assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { readResults, type Results, writeResults } from "../../lib/runs/results.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

const results: Results = {
  algorithm: "srpo",
  task: "hopper-medium-v2",
  seeds: [0],
  variants: [],
  finished: true,
  stages: {},
  references: {
    random_return: null,
    expert_return: null,
    data_return: null,
    data_score: null,
    counts_success: false,
  },
  actors: [],
  evaluations: [],
  statistics: [],
  action_latency_ms: {},
  action_flops: {},
  pictures: [],
};

Deno.test({
  name: "readResults() gives what writeResults() wrote, and refuses a file that lacks a part of it",
  ignore,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const path = join(folder, "results.json");
    try {
      assertEquals(readResults(path), null);
      await writeResults(path, results);
      assertEquals(readResults(path), results);
      for (const name of Object.keys(results).filter((name) => name !== "action_flops")) {
        const { [name as keyof Results]: _, ...rest } = results;
        Deno.writeTextFileSync(path, JSON.stringify(rest));
        assertThrows(
          () => readResults(path),
          UserError,
          `results.json: field "${name}" is missing; delete it, and --resume creates it again`,
        );
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
