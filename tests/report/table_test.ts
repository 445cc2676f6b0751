import { assertEquals, assertStringIncludes } from "@std/assert";
import { formatTable } from "../../lib/report/table.ts";

Deno.test("formatTable(): right-aligns numbers, left-aligns words, and underlines the header", () => {
  assertEquals(
    formatTable(["policy", "score", "reached"], [
      ["random", "−1.2", "3/40"],
      ["SRPO", 57, "40/40"],
      ["IQL (paper)", "–", "–"],
    ], Infinity),
    [
      "policy       score  reached",
      "───────────  ─────  ───────",
      "random        −1.2     3/40",
      "SRPO            57    40/40",
      "IQL (paper)      –        –",
    ].join("\n"),
  );
});

Deno.test("formatTable(): leaves no trailing spaces and counts visible characters", () => {
  assertEquals(
    formatTable(["a", "b"], [["e\u0301", "x"], ["long", ""]], Infinity),
    ["a     b", "────  ─", "e\u0301     x", "long"].join("\n"),
  );
  assertEquals(formatTable(["a"], []), "a\n─");
});

Deno.test("formatTable(): splits a table that is too wide into parts, each with the first column", () => {
  const header = ["policy", "seed", "return", "score"];
  const rows = [["random", 0, 23.9, 0], ["SRPO", 1, "61.7 ± 16.0", 27.4]];
  assertEquals(
    formatTable(header, rows, 26),
    [
      "policy  seed       return",
      "──────  ────  ───────────",
      "random     0         23.9",
      "SRPO       1  61.7 ± 16.0",
      "",
      "policy  score",
      "──────  ─────",
      "random      0",
      "SRPO     27.4",
    ].join("\n"),
  );
  assertEquals(formatTable(header, rows, 32), formatTable(header, rows, Infinity));
  // Too narrow for two columns: each part still has the first column and one other, and no text is
  // lost.
  const narrow = formatTable(header, rows, 10);
  for (const text of [...header, ...rows.flat().map(String)]) assertStringIncludes(narrow, text);
});
