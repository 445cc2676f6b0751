import { assert, assertEquals } from "@std/assert";
import {
  forms,
  matmulVariants,
  parseTiles,
  shapeClasses,
  shapeClassOf,
  targetOf,
  tileOf,
} from "../../lib/gpu/target.ts";

Deno.test("tileOf() parses the tiles of every variant", () => {
  assertEquals(tileOf("lanes-4x16-1x8-8"), {
    ...{ sharing: "lanes", rows: 4, columns: 16, across: 1, down: 8, depth: 8 },
  });
  for (const variant of matmulVariants) {
    const { tiles } = targetOf(variant);
    for (const form of forms) {
      for (const shape of shapeClasses) assert(tileOf(tiles[form][shape]), tiles[form][shape]);
    }
  }
});

Deno.test("tileOf() refuses tiles that the kernel cannot have", () => {
  for (
    const name of [
      "32x4",
      "shared-32x4-8x1-4",
      "lanes-30x4-8x1-4",
      "lanes-32x4-8x1-2",
      "none-4x4-0x1-4",
      // Eight lanes cannot divide four blocks, nor rows that differ between them.
      "lanes-16x4-8x1-4",
      "lanes-32x4-4x2-4",
    ]
  ) assertEquals(tileOf(name), null, name);
});

Deno.test("parseTiles() needs a tile of every form and class", () => {
  const { tiles } = targetOf("subgroups");
  assertEquals(parseTiles(JSON.parse(JSON.stringify(tiles))), tiles);
  const { medium: _, ...rest } = tiles.NN;
  for (const invalid of [null, 3, {}, { ...tiles, NN: rest }, { ...tiles, NN: "none" }]) {
    assertEquals(parseTiles(invalid), null);
  }
});

Deno.test("shapeClassOf() separates layers with few units from small and large ones", () => {
  assertEquals(shapeClassOf(2048, 256, 1024), "large");
  assertEquals(shapeClassOf(256, 256, 256), "medium");
  assertEquals(shapeClassOf(2048, 14, 256), "thin inputs");
  assertEquals(shapeClassOf(2048, 14, 4), "thin outputs");
});
