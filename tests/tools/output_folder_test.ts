import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { emptied } from "../../tools/output_folder.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";

Deno.test({
  name: "emptied() replaces an earlier build, and leaves other files alone",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name);
      const build = join(folder, "build");
      await emptied(build, ["a.js"]);
      assertEquals(names(build), []);
      Deno.writeTextFileSync(join(build, "a.js"), "");
      Deno.writeTextFileSync(join(build, "b.js"), "");
      await emptied(build, ["a.js"]);
      assertEquals(names(build), []);
      Deno.writeTextFileSync(join(build, "thesis.txt"), "");
      await assertRejects(() => emptied(build, ["a.js"]), UserError, "no earlier build");
      assertEquals(names(build), ["thesis.txt"]);
    }),
});
