import { assertEquals } from "@std/assert";
import { shellWord } from "../lib/shell_word.ts";

Deno.test("shellWord(): a path that a shell would split or expand is in quotes", () => {
  for (const plain of ["runs/maze2d-umaze-v1-0-1", "../a/b.hdf5", "--seeds=0,1"]) {
    assertEquals(shellWord(plain), plain);
  }
  const quote = Deno.build.os === "windows" ? '"' : "'";
  for (const other of ["my run", "a(1)", "$HOME/run", "runs/*", "~", ""]) {
    assertEquals(shellWord(other), `${quote}${other}${quote}`);
  }
});

Deno.test({
  name: "shellWord(): a shell reads the path back",
  ignore: Deno.build.os === "windows" ||
    Deno.permissions.querySync({ name: "run" }).state !== "granted",
  fn: async () => {
    for (const path of ["my run", "it's", "a\\b", '"$(ls)"', "`x`;&|"]) {
      const { stdout } = await new Deno.Command("sh", {
        args: ["-c", `printf %s ${shellWord(path)}`],
      }).output();
      assertEquals(new TextDecoder().decode(stdout), path);
    }
  },
});
