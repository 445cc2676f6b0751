import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import {
  addressOf,
  findTask,
  isInPaper,
  knownFileOf,
  taskOfFile,
  tasks,
} from "../../lib/data/catalog.ts";

Deno.test("tasks: β matches Table 2 of the paper", () => {
  const table: Record<string, number> = {
    "walker2d-medium-expert-v2": 0.1,
    "halfcheetah-medium-expert-v2": 0.01,
    "hopper-medium-expert-v2": 0.01,
    "walker2d-medium-v2": 0.05,
    "halfcheetah-medium-v2": 0.2,
    "hopper-medium-v2": 0.05,
    "walker2d-medium-replay-v2": 0.5,
    "halfcheetah-medium-replay-v2": 0.2,
    "hopper-medium-replay-v2": 0.2,
    "antmaze-umaze-v2": 0.02,
    "antmaze-medium-play-v2": 0.08,
    "antmaze-large-play-v2": 0.06,
    "antmaze-umaze-diverse-v2": 0.04,
    "antmaze-medium-diverse-v2": 0.05,
    "antmaze-large-diverse-v2": 0.05,
  };
  for (const task of tasks.values()) {
    assertEquals(task.beta, table[task.name] ?? null, task.name);
    assertEquals(isInPaper(task), task.name in table, task.name);
  }
});

Deno.test("tasks: reference returns and step limits match D4RL's", () => {
  const expected: [prefix: string, min: number, max: number, steps: number][] = [
    ["hopper-", -20.272305, 3234.3, 1000],
    ["halfcheetah-", -280.178953, 12135.0, 1000],
    ["walker2d-", 1.629008, 4592.3, 1000],
    ["ant-", -325.6, 3879.7, 1000],
    ["antmaze-umaze", 0, 1, 700],
    ["antmaze-medium", 0, 1, 1000],
    ["antmaze-large", 0, 1, 1000],
    ["maze2d-open-v0", 0.01, 20.66, 150],
    ["maze2d-open-dense-v0", 11.17817, 27.166538620695782, 150],
    ["maze2d-umaze-v1", 23.85, 161.86, 300],
    ["maze2d-medium-v1", 13.13, 277.39, 600],
    ["maze2d-large-v1", 6.7, 273.99, 800],
    ["maze2d-umaze-dense-v1", 68.537689, 193.66285642381482, 300],
    ["maze2d-medium-dense-v1", 44.264742, 297.4552547777125, 600],
    ["maze2d-large-dense-v1", 30.569041, 303.4857382709002, 800],
  ];
  for (const task of tasks.values()) {
    const row = expected.find(([prefix]) => task.name.startsWith(prefix));
    assertEquals(
      [task.referenceReturn.min, task.referenceReturn.max, task.maxEpisodeSteps],
      row?.slice(1),
      task.name,
    );
  }
  assertEquals(tasks.size, 24 + 6 + 8);
});

Deno.test("findTask() suggests the nearest names, tasks with results in the paper first", () => {
  assertEquals(findTask("hopper-medium-v2").family, "locomotion");
  const refuses = (name: string, expected: string) =>
    assertThrows(() => findTask(name), UserError, `unknown task "${name}"${expected}`);
  refuses(
    "hoper",
    ', did you mean "hopper-medium-v2", "hopper-medium-replay-v2", "hopper-medium-expert-v2", …?',
  );
  refuses("hopper-medum-v2", ', did you mean "hopper-medium-v2"?');
  refuses("hopper-medium-v0", ', did you mean "hopper-medium-v2"?');
  refuses("pendulum", "; expected a D4RL task name, for example hopper-medium-v2");
});

Deno.test("taskOfFile() knows only D4RL's file names", () => {
  assertEquals(
    taskOfFile("/tmp/halfcheetah_medium_expert-v2.hdf5")?.name,
    "halfcheetah-medium-expert-v2",
  );
  assertEquals(taskOfFile("data/maze2d-umaze-100k.hdf5")?.name, "maze2d-umaze-v1");
  assertEquals(taskOfFile("hopper.hdf5"), null);
});

Deno.test("addressOf() joins D4RL's path, or the file's name with a mirror's address", () => {
  const task = findTask("antmaze-umaze-diverse-v2");
  const file = "Ant_maze_u-maze_noisy_multistart_True_multigoal_True_sparse_fixed.hdf5";
  const own = `https://rail.eecs.berkeley.edu/datasets/offline_rl/ant_maze_v2/${file}`;
  assertEquals(addressOf(task, null), own);
  assertEquals(addressOf(task, "https://a.b/c//"), `https://a.b/c/${file}`);
  assertEquals(addressOf(task, "https://a.b/c?key=1"), `https://a.b/c/${file}?key=1`);
  assertEquals(new URL(addressOf(task, "huggingface")).pathname.endsWith(`/${file}`), true);
  for (const bad of ["hugging", "file:///tmp", "ftp://a.b"]) {
    assertThrows(() => addressOf(task, bad), UserError, `got "${bad}"`);
  }
});

Deno.test("knownFileOf() has a hash for seven files, all of the catalog's", () => {
  const known = [...tasks.values()].map(knownFileOf).filter(({ sha256 }) => sha256 !== null);
  assertEquals(known.length, 7);
  for (const { sha256 } of known) assertEquals(/^[0-9a-f]{64}$/.test(sha256!), true);
});
