import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fastest } from "../../lib/autodiff/variants.ts";
import { targetOf } from "../../lib/gpu/target.ts";
import { VariantFile } from "../../lib/runs/variant_memory.ts";

const granted = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const adapter = {
  ...{ name: "adapter A", driver: "vulkan", software: false, subgroups: true },
  ...{ driverVersion: null, processor: null, probe: "00ff" },
};
const rates = { subgroups: 0, registers: 900.5, tiled: 1200 };

/** Runs `body` with a temporary folder and removes it afterwards. */
function inFolder(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("fastest() returns the fastest variant, but registers unless another is 10 % faster", () => {
  assertEquals(fastest(rates), targetOf("tiled"));
  assertEquals(fastest({ subgroups: 27, registers: 19, tiled: 9 }), targetOf("subgroups"));
  assertEquals(fastest({ subgroups: 105, registers: 100, tiled: 104 }), targetOf("registers"));
  assertEquals(fastest({ subgroups: 0, registers: 1, tiled: 0 }), targetOf("registers"));
});

Deno.test({
  name: "VariantFile.recall() returns what keep() stored, only for the same adapter",
  ignore: !granted,
  fn: () =>
    inFolder((folder) => {
      const path = join(folder, "deeper", "matmul.json");
      assertEquals(new VariantFile(path).recall(adapter), undefined);
      const other = { ...adapter, name: "adapter B" };
      new VariantFile(path).keep(adapter, rates);
      new VariantFile(path).keep(other, { ...rates, tiled: 1 });
      assertEquals(new VariantFile(path).recall(adapter), rates);
      assertEquals(new VariantFile(path).recall(other)?.tiled, 1);
      assertEquals(new VariantFile(path).recall({ ...adapter, subgroups: false }), undefined);
      assertEquals([...Deno.readDirSync(join(folder, "deeper"))].length, 1);
    }),
});

Deno.test({
  name: "VariantFile replaces a broken file, and reports rates that it cannot store",
  ignore: !granted,
  fn: () =>
    inFolder((folder) => {
      const path = join(folder, "matmul.json");
      for (const broken of ["{", "null", "[1]", "3", "\u0000"]) {
        Deno.writeTextFileSync(path, broken);
        const file = new VariantFile(path);
        assertEquals(file.recall(adapter), undefined, broken);
        file.keep(adapter, rates);
        assertEquals([file.problem, file.recall(adapter)], [undefined, rates], broken);
      }
      // A folder that cannot be created, because a file has its path.
      const beneath = new VariantFile(join(path, "matmul.json"));
      assertEquals(beneath.recall(adapter), undefined);
      beneath.keep(adapter, rates);
      assert(beneath.problem !== undefined && beneath.problem.length > 0);
      const nowhere = new VariantFile(null);
      nowhere.keep(adapter, rates);
      assert(nowhere.problem!.includes("XDG_CACHE_HOME"));
      assertEquals(nowhere.recall(adapter), undefined);
    }),
});
