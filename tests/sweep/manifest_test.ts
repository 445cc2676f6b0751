import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { SweepDirectory } from "../../lib/sweep/manifest.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { unitNamed } from "./sweeps.ts";

Deno.test({
  name: "SweepDirectory keeps an equal manifest and refuses another, a damaged or a missing one",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const directory = new SweepDirectory(join(folder, "sweep"));
      assertThrows(() => directory.read(), UserError, "is not a planned sweep");
      const units = [unitNamed("a"), unitNamed("b")];
      assertEquals(await directory.write(units), true);
      assertEquals(await directory.write(units), false);
      assertEquals(directory.read(), units);
      await assertRejects(() => directory.write([units[0]!]), UserError, "holds another sweep");
      const text = Deno.readTextFileSync(directory.manifest);
      Deno.writeTextFileSync(directory.manifest, text.replace("seeds=0", "seeds=1"));
      assertThrows(() => directory.read(), UserError, "was changed after it was written");
    }),
});
