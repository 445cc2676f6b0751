import { assertEquals } from "@std/assert";
import { cos, exp, log, sin } from "../../lib/envs/elementary.ts";
import fixture from "../fixtures/elementary/elementary.json" with { type: "json" };

for (const [name, fn] of Object.entries({ exp, log, sin, cos })) {
  Deno.test(`${name}() is correctly rounded, as mpmath with 400 bits is`, () => {
    const values = fixture[name as keyof typeof fixture] as [x: number, y: number][];
    for (const [x, y] of values) assertEquals(fn(x), y, `${name}(${x})`);
  });
}
