import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { fitLines, wrap } from "../lib/terminal.ts";

const permitted = (["run", "read", "env"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** Returns the output of a shell command run in the repository's folder. */
async function printed(command: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", command],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { DENO: Deno.execPath(), NO_COLOR: "1", ...env },
    stdin: "null",
    stderr: "null",
  }).output();
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout).replaceAll("\r", "");
}

function longest(text: string): number {
  return Math.max(...text.split("\n").map((line) => line.length));
}

Deno.test("wrap() breaks lines between words and does not split a longer word", () => {
  assertEquals(wrap("one two  three", 7), ["one two", "three"]);
  assertEquals(wrap("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
  assertEquals(wrap("", 5), [""]);
});

Deno.test({
  name: "train --help: fits COLUMNS, or 80 columns if the size is unknown",
  ignore: !permitted,
  fn: async () => {
    const help = '"$DENO" run -A cli.ts train --help';
    const [plain, wide, narrow] = await Promise.all([
      printed(`unset COLUMNS; ${help}`),
      printed(help, { COLUMNS: "300" }),
      printed(help, { COLUMNS: "66" }),
    ]);
    assert(longest(plain) <= 80 && longest(plain) > 66, `${longest(plain)}`);
    assert(longest(wide) <= 100 && longest(wide) > 80, `${longest(wide)}`);
    assert(longest(narrow) <= 66, `${longest(narrow)}`);
    assertEquals(narrow.split(/\s+/), plain.split(/\s+/));
  },
});

Deno.test({
  name: "data inspect: tables fit the terminal, and are complete in a pipe",
  ignore: !permitted || await printed("command -v script || true").catch(() => "") === "",
  fn: async () => {
    const inspect = '"$DENO" run -A cli.ts data inspect data/maze2d-umaze-100k.hdf5';
    const [pipe, terminal] = await Promise.all([
      printed(inspect),
      printed(`script -qec 'stty cols 40; ${inspect}' /dev/null`),
    ]);
    // Seven numbers and the row's name: 54 columns.
    const rows = (text: string) =>
      text.split("\n").filter((line) => /^(return|length|reward) +[-\d]/.test(line)).join("\n");
    assertStringIncludes(pipe, "mean     std  min  25 %  median  75 %  max\n");
    assert(longest(rows(pipe)) > 40, pipe);
    assert(longest(rows(terminal)) <= 40, terminal);
    const words = (text: string) => new Set(text.split(/\s+/));
    assertEquals(words(rows(terminal)), words(rows(pipe)));
  },
});

Deno.test("fitLines(): breaks long lines between words and indents them to their label", () => {
  assertEquals(
    fitLines("adapter  a software GPU with a name\nshort\n\nwithout a label but long", 20),
    "adapter  a software\n         GPU with a\n         name\nshort\n\nwithout a label but\nlong",
  );
});
