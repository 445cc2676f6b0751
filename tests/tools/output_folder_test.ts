import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { filled } from "../../tools/output_folder.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";

Deno.test({
  name: "filled() replaces an earlier build by a whole one, and leaves other files alone",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder(async (root) => {
      const folder = join(root, "deeper", "build");
      const names = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();
      const writing = (...files: string[]) => (fresh: string) =>
        Promise.all(files.map((file) => Deno.writeTextFile(join(fresh, file), ""))).then(() => {});
      await filled(folder, ["a.js"], writing("a.js", "b.js"));
      assertEquals(names(folder), ["a.js", "b.js"]);
      await filled(folder, ["a.js"], writing("a.js"));
      assertEquals(names(folder), ["a.js"]);
      const failing = () => Promise.reject(new Error("no compiler"));
      await assertRejects(() => filled(folder, ["a.js"], failing), Error, "no compiler");
      assertEquals([names(folder), names(join(root, "deeper"))], [["a.js"], ["build"]]);

      Deno.removeSync(join(folder, "a.js"));
      Deno.writeTextFileSync(join(folder, "thesis.txt"), "");
      await assertRejects(
        () => filled(folder, ["a.js"], writing("a.js")),
        UserError,
        "no earlier build (it contains thesis.txt)",
      );
      assertEquals(names(folder), ["thesis.txt"]);
    }),
});
