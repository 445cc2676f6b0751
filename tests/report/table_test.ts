import { assertEquals } from "@std/assert";
import { formatTable } from "../../lib/report/table.ts";

Deno.test("formatTable() sets numbers right, words left, and rules off the header", () => {
  assertEquals(
    formatTable(["policy", "score", "reached"], [
      ["random", "−1.2", "3/40"],
      ["SRPO", 57, "40/40"],
      ["IQL (paper)", "–", "–"],
    ]),
    [
      "policy       score  reached",
      "───────────  ─────  ───────",
      "random        −1.2     3/40",
      "SRPO            57    40/40",
      "IQL (paper)      –        –",
    ].join("\n"),
  );
});

Deno.test("formatTable() leaves no spaces at line ends and counts what a person sees", () => {
  assertEquals(
    formatTable(["a", "b"], [["e\u0301", "x"], ["long", ""]]),
    ["a     b", "────  ─", "e\u0301     x", "long"].join("\n"),
  );
  assertEquals(formatTable(["a"], []), "a\n─");
});
