import { assertEquals, assertThrows } from "@std/assert";
import { unroll } from "../../lib/gpu/unroll.ts";

const source = `const ROWS = 8u;
const BLOCKS = ROWS / 4u; // derived
const LIMIT = 1.5;
fn main() {
  //#unroll
  for (var i = 0u; i < BLOCKS; i++) {
    let sixth = i * 6u;
    //#unroll
    for (var j = i; j < (BLOCKS + 1u) % 2u + i; j++) {
      total[i] += a[j];
    }
  }
  for (var i = 0u; i < n; i++) {}
}`;

const lines = (text: string) => text.split("\n").map((line) => line.trim());

Deno.test("unroll() replaces a marked loop by its rounds, also within another", () => {
  assertEquals(lines(unroll(source, { ROWS: 8 })), [
    "const ROWS = 8u;",
    "const BLOCKS = 2u; // derived",
    "const LIMIT = 1.5;",
    "fn main() {",
    ...["{", "let sixth = 0u * 6u;", "{", "total[0u] += a[0u];", "}", "}"],
    ...["{", "let sixth = 1u * 6u;", "{", "total[1u] += a[1u];", "}", "}"],
    "for (var i = 0u; i < n; i++) {}",
    "}",
  ]);
});

Deno.test("unroll() derives constants from the given ones", () => {
  const text = unroll(source, { ROWS: 4 });
  assertEquals(lines(text).slice(0, 2), ["const ROWS = 4u;", "const BLOCKS = 1u; // derived"]);
  assertEquals(text.includes("i * 6u"), false);
  assertEquals(text.includes("total[1u]"), false);
});

Deno.test("unroll() refuses an unknown constant and a loop without constant bounds", () => {
  assertThrows(() => unroll(source, { COLUMNS: 4 }), Error, "declares no constant COLUMNS");
  const loop = "//#unroll\nfor (var i = 0u; i < n; i++) {\n}";
  assertThrows(() => unroll(loop, {}), Error, "a loop with constant bounds, got");
});
