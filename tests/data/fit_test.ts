import { assertEquals, assertThrows } from "@std/assert";
import { findTask, tasks } from "../../lib/data/catalog.ts";
import { checkFit, sizeProblem, taskNotes } from "../../lib/data/fit.ts";
import { environments } from "../../lib/envs/ids.ts";
import { antmazes } from "../../lib/envs/mujoco/antmaze.ts";
import { locomotion } from "../../lib/envs/mujoco/locomotion.ts";
import { pointmazes } from "../../lib/envs/mujoco/pointmaze.ts";
import { UserError } from "../../lib/errors.ts";

const source = { path: "mine.hdf5", firstRow: 0, task: null };

Deno.test("tasks: sizes match the built-in environments", () => {
  const simulated = new Map([...locomotion, ...antmazes, ...pointmazes]);
  for (const { name, sizes } of tasks.values()) {
    const { observationSize, actionSize } = simulated.get(environments.get(name)!.task)!;
    assertEquals(sizes, { observations: observationSize, actions: actionSize }, name);
  }
});

Deno.test("checkFit() rejects data of other sizes, naming found, expected and suitable tasks", () => {
  const hopper = findTask("hopper-medium-v2");
  const data = { sources: [source], observationSize: 4, actionSize: 2 };
  const error = assertThrows(() => checkFit(data, hopper), UserError);
  assertEquals(
    error.message,
    "mine.hdf5: each row has 4 observation and 2 action entries, but hopper-medium-v2 needs 11 and " +
      "3. With --task, choose a task with the data's sizes: maze2d-open-v0, maze2d-open-dense-v0, " +
      "maze2d-umaze-v1, maze2d-medium-v1, maze2d-large-v1, maze2d-umaze-dense-v1, " +
      "maze2d-medium-dense-v1, maze2d-large-dense-v1",
  );
  assertThrows(() => checkFit({ ...data, observationSize: 11 }, hopper), UserError, "No D4RL task");
  checkFit({ ...data, observationSize: 11, actionSize: 3 }, hopper);
});

Deno.test("sizeProblem() returns null if the task's sizes are unknown", () => {
  const task = { ...findTask("hopper-medium-v2"), sizes: null };
  assertEquals(sizeProblem({ sources: [source], observationSize: 4, actionSize: 2 }, task), null);
});

Deno.test("taskNotes() names files that were collected for another task", () => {
  const hopper = findTask("hopper-medium-v2");
  const sources = [source, { ...source, task: "hopper-medium-v2" }, { ...source, task: "hopper" }];
  assertEquals(taskNotes({ sources }, hopper), [
    "mine.hdf5 was collected in hopper but is used as data of hopper-medium-v2",
  ]);
});
