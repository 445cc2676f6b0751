import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !mayUseFiles;
const maze = projectFile("data/maze2d-umaze-100k.hdf5");

/** Runs `data collect` without printing its messages. */
async function collect(...args: string[]): Promise<void> {
  const { dataCollect } = await import("../../lib/commands/data_collect.ts");
  await printed(() => dataCollect(args));
}

async function inspect(...args: string[]) {
  const { dataInspect } = await import("../../lib/commands/data_inspect.ts");
  return JSON.parse(await printed(() => dataInspect([...args, "--json"])));
}

Deno.test({
  name: "train() rejects data whose sizes differ from the task's before creating a run",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { train } = await import("../../lib/commands/train.ts");
      const out = join(folder, "run");
      await assertRejects(
        () => train([maze, "--task", "hopper-medium-v2", "--out", out]),
        UserError,
        `${maze}: each row has 4 observation and 2 action entries, but hopper-medium-v2 needs 11 and 3`,
      );
      assertEquals([...Deno.readDirSync(folder)], []);
    }),
});

Deno.test({
  name: "dataInspect() --task warns of data with other sizes and of data of another task",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { warnings } = await inspect(maze, "--task", "hopper-medium-v2");
      assertEquals(
        warnings[0].startsWith(`training rejects this: ${maze}: each row has 4 observation`),
        true,
      );
      const out = join(folder, "mine.hdf5");
      await collect(
        ...["--task", "walker2d-medium-v2", "--policy", "random", "--steps", "20", "--out", out],
      );
      const retargeted = await inspect(out, "--task", "halfcheetah-medium-v2");
      assertEquals(
        retargeted.warnings[0],
        `${out} was collected in walker2d-medium-v2 but is used as data of halfcheetah-medium-v2`,
      );
      const own = await inspect(out);
      assertEquals(own.task, "walker2d-medium-v2");
      assertEquals(own.warnings.some((line: string) => line.includes("collected in")), false);
    }),
});

Deno.test({
  name: "makePlan() reads the task from a data collect file, and asks for --family without one",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { parseTrain } = await import("../../lib/commands/train_flags.ts");
      const { makePlan } = await import("../../lib/commands/train_plan.ts");
      const planOf = (file: string) => {
        const { algorithm, parsed } = parseTrain([file]);
        if (parsed === "help") throw new Error("no help was asked for");
        return makePlan(algorithm, file, parsed.flags);
      };
      const collected = async (task: string) => {
        const out = join(folder, `mine-${task}.hdf5`);
        await collect("--task", task, "--policy", "random", "--steps", "20", "--out", out);
        return out;
      };
      const plan = await planOf(await collected("hopper-medium-v2"));
      assertEquals(plan.task.name, "hopper-medium-v2");
      const robot = await collected("hopper");
      await assertRejects(
        () => planOf(robot),
        UserError,
        "mine-hopper.hdf5 belongs to no D4RL task",
      );
    }),
});
