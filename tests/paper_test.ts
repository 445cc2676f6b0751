import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { commands } from "../cli.ts";
import { defaultAlgorithm } from "../lib/algorithms/registry.ts";
import { parseTrain, trainCommand } from "../lib/commands/train_flags.ts";
import ablations from "../docs/ablations.md" with { type: "text" };
import paper from "../docs/paper.md" with { type: "text" };

/** The code spans of a page. */
const spans = [...paper.matchAll(/`([^`]+)`/g)].map(([, span]) => span!);

Deno.test({
  name: "docs/paper.md: every file that it names exists",
  ignore: Deno.permissions.querySync({ name: "read" }).state !== "granted",
  fn: () => {
    const links = [...paper.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) =>
      new URL(link!, new URL("../docs/paper.md", import.meta.url))
    );
    const files = spans.filter((span) => /^[\w./-]+\.[a-z]+$/.test(span))
      .map((span) => new URL(`../${span}`, import.meta.url));
    assert(files.length > 20, `found ${files.length} files`);
    const missing = [...links, ...files].filter((url) => {
      try {
        return !Deno.statSync(fileURLToPath(url)).isFile;
      } catch {
        return true;
      }
    });
    assertEquals(missing.map(String), []);
  },
});

Deno.test("docs/paper.md: every command and flag that it names exists", () => {
  const named = spans.filter((span) => /^(train|eval|data|gradcheck|bandit)\b(?!\/)/.test(span));
  assert(named.length > 10, `found ${named.length} commands`);
  for (const span of named) {
    const words = span.split(" ");
    const name = words[0] === "data" ? words.slice(0, 2).join(" ") : words[0]!;
    assert(name in commands, span);
    // Values are parsed too.
    if (name === "train" && !words.includes("--help")) parseTrain(words.slice(1));
  }
  const flags = trainCommand(defaultAlgorithm).flags;
  for (const span of spans.filter((span) => span.startsWith("--"))) {
    assert(span.slice(2).split(" ")[0]! in flags, span);
  }
});

Deno.test("docs/ablations.md: every train command parses", () => {
  const blocks = ablations.replaceAll("\\\n", " ").matchAll(/^deno run -A cli\.ts train(.*)$/gm);
  const lines = [...blocks].map(([, line]) => line!.replace(/#.*/, "").trim().split(/\s+/));
  assert(lines.length > 8, `found ${lines.length} commands`);
  for (const words of lines) parseTrain(words);
});

Deno.test("docs/paper.md: has every equation, figure and table", () => {
  const listed = (kind: string) =>
    [...paper.matchAll(new RegExp(`^\\| ${kind} ([\\d, to]+?) *\\|`, "gm"))].flatMap((
      [, numbers],
    ) =>
      numbers!.split(", ").flatMap((part) => {
        const [first, last = first] = part.split(" to ").map(Number);
        return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
      })
    ).sort((a, b) => a - b);
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
  assertEquals(listed("Eq\\."), upTo(17));
  assertEquals(listed("Figure"), upTo(16));
  assertEquals(listed("Table"), upTo(2));
});
