import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { faultyServer } from "../data/faulty_server.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !mayUseFiles || Deno.permissions.querySync({ name: "net" }).state !== "granted";

Deno.test({
  name: "dataGet() downloads from --mirror, and dataList() shows what is here",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { dataGet } = await import("../../lib/commands/data_get.ts");
      const { dataList } = await import("../../lib/commands/data_list.ts");
      const body = Deno.readFileSync(
        projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5"),
      );
      await using server = faultyServer(() => ({ status: "200 OK", body }));
      const get = (task: string) =>
        printed(() => dataGet([task, "--mirror", server.url], { folder }));
      const text = await get("hopper-random-v2");
      assertStringIncludes(text, `hopper_random-v2.hdf5  ${body.length} bytes, downloaded`);
      assertStringIncludes(await get("hopper-random-v2"), "already here");
      await assertRejects(() => get("hopper-expert-v2"), UserError, "but the known file has");
      await Deno.copyFile(
        join(folder, "hopper_random-v2.hdf5"),
        join(folder, "maze2d-umaze-100k.hdf5"),
      );
      await Deno.writeTextFile(join(folder, "downloads", "ant_medium-v2.hdf5.part"), "12345");

      const { tasks } = JSON.parse(await printed(() => dataList(["--json"], folder)));
      assertEquals(tasks.length, 38);
      const here = tasks.filter((row: { here: string }) => row.here !== "nothing")
        .map((
          row: { task: string; here: string; bytes: number },
        ) => [row.task, row.here, row.bytes]);
      assertEquals(here, [
        ["hopper-random-v2", "file", body.length],
        ["ant-medium-v2", "incomplete", 5],
        ["maze2d-umaze-v1", "sample", body.length],
      ]);
      const table = await printed(() => dataList([], folder));
      assertStringIncludes(table, "hopper-medium-v2");
      assertEquals(/^hopper-medium-v2 +– +95\.5 ± 2\.0 +0\.05$/m.test(table), true, table);
    }),
});
