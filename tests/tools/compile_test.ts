import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { compile, compileArguments, targets } from "../../tools/compile.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";

const ignore = !mayUseFiles || Deno.permissions.querySync({ name: "run" }).state !== "granted";

Deno.test("compileArguments() names one executable per platform, .exe on Windows", () => {
  const outputs = targets.map((target) => {
    const args = compileArguments(target, "bin");
    assertEquals(args[args.indexOf("--target") + 1], target);
    return args[args.indexOf("--output") + 1];
  });
  assertEquals(new Set(outputs).size, targets.length);
  assertEquals(outputs.at(-1), "bin/srpo-webgpu-x86_64-pc-windows-msvc.exe");
});

Deno.test("compile() rejects an unknown platform", async () => {
  await assertRejects(() => compile(["amiga"], "bin"), UserError, "unknown platform amiga");
});

Deno.test({
  name: "compile() says from where Deno's runtime could not be downloaded",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      // Nothing listens on port 9.
      const HTTPS_PROXY = "http://127.0.0.1:9";
      await assertRejects(
        () => compile([targets[0]], folder, { HTTPS_PROXY }),
        UserError,
        "could not be downloaded from https://",
      );
      assertEquals([...Deno.readDirSync(folder)], []);
    }),
});
