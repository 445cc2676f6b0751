import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { resolveData } from "../../lib/data/resolve.ts";
import { mayUseFiles, projectFile, tinyContents, withFolder } from "./files.ts";

const ignore = !mayUseFiles;
const name = "hopper-medium-expert-v2";

Deno.test({
  name: "resolveData() finds a task's file, its parts or its sample, or says how to get it",
  ignore,
  async fn() {
    await withFolder(async (folder) => {
      const error = await assertRejects(() => resolveData(name, undefined, folder), UserError);
      for (
        const part of [
          `${folder}/hopper_medium_expert-v2.hdf5 does not exist`,
          `data get ${name} `,
          "gym_mujoco_v2/hopper_medium_expert-v2.hdf5",
          `--task ${name}`,
        ]
      ) assertEquals(error.message.includes(part), true, error.message);

      await Deno.writeTextFile(`${folder}/hopper_medium-v2.hdf5`, "");
      await assertRejects(
        () => resolveData(name, undefined, folder),
        UserError,
        "both of its parts",
      );
      await Deno.writeTextFile(`${folder}/hopper_expert-v2.hdf5`, "");
      const parts = await resolveData(name, undefined, folder);
      assertEquals(parts.paths, [
        `${folder}/hopper_medium-v2.hdf5`,
        `${folder}/hopper_expert-v2.hdf5`,
      ]);
      await Deno.writeTextFile(`${folder}/hopper_medium_expert-v2.hdf5`, "");
      const whole = await resolveData(name, undefined, folder);
      assertEquals(whole.paths, [`${folder}/hopper_medium_expert-v2.hdf5`]);
      assertEquals(whole.task?.name, name);
    });
    const { stat } = Deno;
    const looked: string[] = [];
    Deno.stat = (path) => {
      looked.push(String(path));
      return stat(path);
    };
    try {
      const sample = await resolveData("maze2d-umaze-v1", undefined, projectFile("data"));
      assertEquals(sample.paths.length, 1);
    } finally {
      Deno.stat = stat;
    }
    // docs/permissions.md lets `train` read `data`, and nothing that has the name of a task.
    assertEquals(looked.filter((path) => !path.startsWith(projectFile("data"))), []);
  },
});

Deno.test({
  name: "resolveData() takes a path's task from --task or from the file name",
  ignore,
  async fn() {
    const maze = projectFile("data/maze2d-umaze-100k.hdf5");
    const mixed = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");
    assertEquals((await resolveData(maze)).task?.name, "maze2d-umaze-v1");
    assertEquals((await resolveData(mixed)).task, null);
    assertEquals((await resolveData(mixed, name)).task?.name, name);
    assertEquals(await resolveData(`${mixed},${mixed}`), {
      task: null,
      paths: [mixed, mixed],
      recorded: null,
    });
  },
});

Deno.test({
  name: "resolveData() prefers the task in a file's metadata to the file name",
  ignore,
  async fn() {
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      const file = async (name: string, task: string) => {
        const path = `${folder}/${name}`;
        await writeDataset(path, { ...tinyContents, metadata: { task } });
        return path;
      };
      const hopper = await file("ant_medium-v2.hdf5", "hopper-medium-v2");
      const walker = await file("walker.hdf5", "walker2d-medium-v2");
      const robot = await file("robot.hdf5", "hopper");
      const resolved = async (what: string, taskName?: string) => {
        const { task, recorded } = await resolveData(what, taskName);
        return [task?.name ?? null, recorded];
      };
      assertEquals(await resolved(hopper), ["hopper-medium-v2", "hopper-medium-v2"]);
      assertEquals(await resolved(hopper, name), [name, "hopper-medium-v2"]);
      assertEquals(await resolved(`${hopper},${hopper}`), ["hopper-medium-v2", "hopper-medium-v2"]);
      assertEquals(await resolved(`${hopper},${walker}`), [null, null]);
      assertEquals(await resolved(robot), [null, "hopper"]);
    });
  },
});

Deno.test({
  name: "resolveData() rejects unknown tasks, missing files, folders and conflicting tasks",
  ignore,
  async fn() {
    await assertRejects(() => resolveData("hopper-medium-v3"), UserError, "hopper-medium-v2");
    await assertRejects(() => resolveData("a/b.hdf5"), UserError, "a/b.hdf5: no such file");
    await assertRejects(() => resolveData(name, "ant-medium-v2"), UserError, "two tasks are given");
    await withFolder(async (folder) => {
      for (const what of [folder, `${folder}/`, "data", "data/"]) {
        const error = await assertRejects(() => resolveData(what), UserError);
        assertEquals(error.message, `${what} is a folder; expected an HDF5 file`);
      }
    });
    await assertRejects(() => resolveData(name, "ant"), UserError, 'unknown task "ant"');
  },
});
