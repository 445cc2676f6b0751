import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { replaceFile } from "../../lib/files.ts";
import { copyWhole, writeAtomic } from "../../lib/runs/files.ts";
import { withFolder } from "../data/files.ts";

const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted" ||
  Deno.permissions.querySync({ name: "read" }).state !== "granted";

Deno.test({
  name: "writeAtomic() replaces the file and leaves no temporary file",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await writeAtomic(`${folder}/a.json`, "one");
      await writeAtomic(`${folder}/a.json`, new TextEncoder().encode("two"));
      assertEquals(await Deno.readTextFile(`${folder}/a.json`), "two");
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.json"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "replaceFile() keeps the old file when writing the new one fails",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await writeAtomic(`${folder}/a.json`, "old");
      await assertRejects(
        () =>
          replaceFile(`${folder}/a.json`, async (temporary) => {
            await Deno.writeTextFile(temporary, "half");
            throw new Error("interrupted");
          }),
        Error,
        "interrupted",
      );
      assertEquals(await Deno.readTextFile(`${folder}/a.json`), "old");
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a.json"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "writeAtomic() names a missing folder",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await assertRejects(
        () => writeAtomic(`${folder}/no/a.json`, "x"),
        UserError,
        `there is no folder ${folder}/no`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "copyWhole() names a missing source, not its destination",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      for (const to of [`${folder}/copy`, `${folder}/nowhere/copy`]) {
        await assertRejects(
          () => copyWhole(`${folder}/gone`, to),
          UserError,
          `cannot read ${folder}/gone: no such file`,
        );
      }
      assertEquals([...Deno.readDirSync(folder)], []);
    }),
});
