import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fastest, isCoarse, type Rates } from "../../lib/autodiff/variants.ts";
import { type Form, type ShapeClass, targetOf } from "../../lib/gpu/target.ts";
import { VariantFile } from "../../lib/runs/variant_memory.ts";

const granted = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const adapter = {
  ...{ name: "adapter A", driver: "vulkan", software: false, subgroups: true },
  ...{ driverVersion: null, processor: null, probe: "00ff" },
};
/** The same rate for every form and class, except for one of them. */
function ratesOf(rate: number, other?: readonly [Form, ShapeClass, number]): Rates {
  const classes = { large: rate, medium: rate, "thin inputs": rate, "thin outputs": rate };
  const rates = { NT: { ...classes }, NN: { ...classes }, TN: { ...classes } };
  if (other) rates[other[0]][other[1]] = other[2];
  return rates;
}

const rates = { subgroups: null, registers: ratesOf(900.5), tiled: ratesOf(1200) };

/** Runs `body` with a temporary folder and removes it afterwards. */
function inFolder(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("fastest() picks the tile of each form and class, but registers unless another is 30 % faster", () => {
  const of = (subgroups: Rates | null, registers: Rates, tiled: Rates | null) =>
    fastest({ subgroups, registers, tiled });
  assertEquals(fastest(rates), targetOf("tiled"));
  assertEquals(of(ratesOf(27), ratesOf(19), ratesOf(9)), targetOf("subgroups"));
  assertEquals(of(ratesOf(129), ratesOf(100), ratesOf(125)), targetOf("registers"));
  assertEquals(of(null, ratesOf(1), null), targetOf("registers"));
  const mixed = of(ratesOf(27), ratesOf(19, ["TN", "thin outputs", 40]), null);
  assertEquals(mixed.matmul, "mixed");
  const { TN, ...others } = targetOf("subgroups").tiles;
  const { "thin outputs": thin } = targetOf("registers").tiles.TN;
  assertEquals(mixed.tiles, { ...others, TN: { ...TN, "thin outputs": thin } });
});

Deno.test("isCoarse() tells times that Chrome has rounded to 100 µs from times in nanoseconds", () => {
  for (const seconds of [0, 1e-4, 3e-4, 0.0123]) {
    assertEquals(isCoarse(seconds), true, `${seconds}`);
  }
  for (const seconds of [1.01e-4, 2.34567e-4, 1e-9, 0.01230004]) {
    assertEquals(isCoarse(seconds), false, `${seconds}`);
  }
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
      new VariantFile(path).keep(other, { ...rates, tiled: ratesOf(1) });
      assertEquals(new VariantFile(path).recall(adapter), rates);
      assertEquals(new VariantFile(path).recall(other)?.tiled, ratesOf(1));
      for (
        const moved of [{ subgroups: false }, { driverVersion: "Mesa 25.0.7" }, {
          processor: "avx2",
        }]
      ) {
        assertEquals(new VariantFile(path).recall({ ...adapter, ...moved }), undefined);
      }
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
