import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { compile, compileArguments, targets, workers } from "../../tools/compile.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";

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

Deno.test({
  name: "compileArguments() includes the module of every worker",
  ignore: !mayUseFiles,
  fn: () => {
    const found: string[] = [];
    const search = (folder: string) => {
      for (const { name, isDirectory } of Deno.readDirSync(projectFile(folder))) {
        const path = `${folder}/${name}`;
        if (isDirectory) search(path);
        else if (name.endsWith(".ts")) {
          const text = Deno.readTextFileSync(projectFile(path));
          for (const [, worker] of text.matchAll(/new Worker\(\s*new URL\("\.\/([^"]+)"/g)) {
            found.push(`${folder}/${worker}`);
          }
        }
      }
    };
    search("lib");
    assertEquals(found.toSorted(), [...workers].toSorted());
    const args = compileArguments(targets[0], "bin");
    for (const worker of workers) {
      const place = args.indexOf(projectFile(worker));
      assertEquals(args[place - 1], "--include", worker);
    }
  },
});

Deno.test("compile() rejects an unknown platform", async () => {
  await assertRejects(() => compile(["amiga"], "bin"), UserError, "unknown platform amiga");
});

Deno.test({
  name: "compile() says from where Deno's runtime could not be downloaded",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      // The cache has the packages of this project, and no runtime that was downloaded before.
      const cache = `${folder}/deno`;
      Deno.mkdirSync(cache);
      const own = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
      const { denoDir } = JSON.parse(new TextDecoder().decode(own.stdout));
      for (const { name } of Deno.readDirSync(denoDir)) {
        if (name !== "dl") Deno.symlinkSync(`${denoDir}/${name}`, `${cache}/${name}`);
      }
      // Nothing listens on port 9.
      const env = { DENO_DIR: cache, HTTPS_PROXY: "http://127.0.0.1:9" };
      const output = `${folder}/bin`;
      const { message } = await assertRejects(() => compile([targets[0]], output, env), UserError);
      assertMatch(message, /could not be downloaded from https:\S+denort-\S+\.zip/);
      assertEquals([...Deno.readDirSync(output)], []);
    }),
});
