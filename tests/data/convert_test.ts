/** Data sets made by the packages minari and ogbench are read as those packages read them. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { readDataset } from "../../lib/data/dataset.ts";
import { D4rlFile } from "../../lib/data/hdf5.ts";
import { NpzFile } from "../../lib/data/npz.ts";
import { ogbenchTask } from "../../lib/data/ogbench.ts";
import type { OfflineDataset } from "../../lib/data/offline_dataset.ts";
import { resolveData } from "../../lib/data/resolve.ts";
import { UserError } from "../../lib/errors.ts";
import { printed } from "../commands/printed.ts";
import { mayUseFiles, projectFile, withFolder } from "./files.ts";

const ignore = !mayUseFiles;
const foreign = projectFile("tests/fixtures/foreign");
const npz = join(foreign, "pointmaze-medium-navigate-v0.npz");

/** s, a, r, the terminal flag or mask, s′. */
type Transition = [number[], number[], number, number, number[]];

interface Expected {
  readonly "minari-pendulum": { transitions: Transition[]; episodes: number[]; id: string };
  readonly "minari-dict": { transitions: Transition[]; episodes: number[]; id: string };
  readonly ogbench: { task: string; transitions: Transition[] };
  readonly goals: Record<string, [x: number, y: number, tolerance: number]>;
}

const expected: Expected = ignore
  ? {}
  : JSON.parse(Deno.readTextFileSync(join(foreign, "expected.json")));

async function convert(...args: string[]): Promise<string> {
  const { dataConvert } = await import("../../lib/commands/data_convert.ts");
  return await printed(() => dataConvert(args));
}

/** Returns what is trained on: all transitions, as the replay buffer reads them. */
function transitionsOf(data: OfflineDataset): Transition[] {
  const rows = (values: Float32Array, size: number, row: number) => [
    ...values.subarray(row * size, (row + 1) * size),
  ];
  return [...data.transitions].map((row) => [
    rows(data.observations, data.observationSize, row),
    rows(data.actions, data.actionSize, row),
    data.rewards[row]!,
    data.terminals[row]!,
    rows(data.observations, data.observationSize, row + 1),
  ]);
}

/** Removes the next state of terminal transitions, which no algorithm uses. */
function used(transitions: readonly Transition[]): unknown[] {
  return transitions.map(([s, a, r, d, next]) => d === 0 ? [s, a, r, d, next] : [s, a, r, d]);
}

for (const name of ["minari-pendulum", "minari-dict"] as const) {
  Deno.test({
    name: `data convert reads every transition of ${name} as minari does`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        const out = join(folder, "mine.hdf5");
        await convert(join(foreign, name), "--out", out);
        const { transitions, episodes } = expected[name];
        const data = await readDataset([out]);
        assertEquals(used(transitionsOf(data)), used(transitions));
        assertEquals(transitions.length, episodes.reduce((sum, steps) => sum + steps, 0));
        assert(new Set(episodes).size > 1 || episodes.length > 10);
      }),
  });
}

Deno.test({
  name: "data convert records Minari's environment, action range and order of observations",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const metadata = async (name: string) => {
        const out = join(folder, `${name}.hdf5`);
        await convert(join(foreign, name, "main_data.hdf5"), "--out", out);
        const file = await D4rlFile.open(out);
        const { task, server, origin, actionBounds } = file;
        const fields = file.has("metadata/observation_fields")
          ? file.scalar("metadata/observation_fields")
          : null;
        file.close();
        return { task, server, origin, actionBounds, fields };
      };
      assertEquals(await metadata("minari-pendulum"), {
        task: "Pendulum-v1",
        server: "python",
        origin: "minari",
        actionBounds: { low: [-2], high: [2] },
        fields: null,
      });
      assertEquals(await metadata("minari-dict"), {
        task: null,
        server: null,
        origin: "minari",
        actionBounds: { low: [-1, -1], high: [1, 1] },
        fields: "achieved_goal 2, desired_goal 2, observation 3",
      });
    }),
});

Deno.test({
  name: "data convert relabels OGBench's rewards and masks as ogbench does",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "mine.hdf5");
      const { task, transitions } = expected.ogbench;
      await convert(npz, "--out", out, "--variant", task);
      const found = transitionsOf(await readDataset([out]));
      assertEquals(found, transitions.map(([s, a, r, mask, next]) => [s, a, r, 1 - mask, next]));
      assertEquals(new Set(found.map(([, , r]) => r)), new Set([-1, 0]));
      const file = await D4rlFile.open(out);
      assertEquals([file.task, file.origin], [
        "pointmaze-medium-singletask-task2-v0",
        "ogbench",
      ]);
      file.close();
    }),
});

Deno.test({
  name: "ogbenchTask() has the goals and tolerances of ogbench's environments",
  ignore,
  fn: () => {
    const goals = Object.entries(expected.goals);
    assertEquals(goals.length, 66);
    for (const [name, [x, y, tolerance]] of goals) {
      const found = ogbenchTask(name.replace("-singletask", "-navigate-singletask"));
      assertEquals([found.goal, found.tolerance], [[x, y], tolerance], name);
    }
    for (const name of ["cube-single-play-singletask-v0", "antmaze-medium-navigate-v0"]) {
      assertThrows(() => ogbenchTask(name), UserError, `"${name}" is not a single-task maze`);
    }
  },
});

Deno.test({
  name: "resolveData() keeps converted data apart from D4RL's tasks",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      // The name of D4RL's file does not make it D4RL's data.
      const out = join(folder, "hopper_medium-v2.hdf5");
      await convert(join(foreign, "minari-dict"), "--out", out);
      assertEquals((await resolveData(out)).task, null);
      await assertRejects(
        () => resolveData(out, "hopper-medium-v2"),
        UserError,
        "was converted from minari, so it is not data of D4RL's hopper-medium-v2",
      );
    }),
});

Deno.test({
  name: "D4rlFile.open() and resolveData() name data convert for data of Minari and OGBench",
  ignore,
  fn: async () => {
    const minari = join(foreign, "minari-dict");
    for (const path of [npz, minari, join(minari, "main_data.hdf5")]) {
      await assertRejects(() => resolveData(path), UserError, `data convert ${path} --out`);
    }
  },
});

Deno.test({
  name: "data convert says what is missing or wrong",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "out.hdf5");
      const refuses = (message: string, ...args: string[]) =>
        assertRejects(() => convert(...args, "--out", out), UserError, message);
      await refuses("--variant pointmaze-medium-navigate-singletask-task1-v0", npz);
      await refuses("is in D4RL's format already", projectFile("data/maze2d-umaze-100k.hdf5"));
      await refuses("no such file", join(folder, "none.npz"));
      const task = ["--variant", expected.ogbench.task];
      await refuses("--variant applies to OGBench", join(foreign, "minari-dict"), ...task);

      const bytes = await Deno.readFile(npz);
      const broken = join(folder, "broken.npz");
      await Deno.writeFile(broken, bytes.subarray(0, bytes.length - 30));
      await refuses("not a whole zip archive", broken, ...task);
      bytes[80]! ^= 1;
      await Deno.writeFile(broken, bytes);
      await refuses("damaged", broken, ...task);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["broken.npz"]);

      const discrete = join(folder, "discrete");
      await Deno.mkdir(discrete);
      for (const name of ["main_data.hdf5", "metadata.json"]) {
        await Deno.copyFile(join(foreign, "minari-dict", name), join(discrete, name));
      }
      const path = join(discrete, "metadata.json");
      const text = await Deno.readTextFile(path);
      const space = JSON.stringify(JSON.stringify({ type: "Discrete", n: 3, start: 0 }));
      await Deno.writeTextFile(
        path,
        text.replace(/("action_space": )"(\\.|[^"\\])*"/, `$1${space}`),
      );
      await refuses("the action space is Discrete", discrete);

      const several = join(folder, "several");
      await Deno.mkdir(several);
      const { File } = await (await import("../../lib/data/deno_hdf5.ts")).loadH5wasm();
      const file = new File(join(several, "main_data.hdf5"), "w");
      const group = file.create_group("episode_0");
      const write = (name: string, shape: number[]) =>
        group.create_dataset({ name, data: new Float32Array(shape[0]! * shape[1]!), shape });
      write("observations", [6, 2]);
      write("actions", [5, 1]);
      write("rewards", [5, 2]);
      file.close();
      await refuses("rewards has shape [5,2], expected one number per step", several);
    }),
});

Deno.test({
  name: "NpzFile reads stored arrays and refuses Fortran order",
  ignore,
  fn: async () => {
    await using compressed = await NpzFile.open(npz);
    await using stored = await NpzFile.open(join(foreign, "stored.npz"));
    for (const name of compressed.names) {
      assertEquals(await stored.read(name), await compressed.read(name), name);
    }
    await assertRejects(() => stored.read("order"), UserError, "row-major order");
    await assertRejects(() => stored.read("none"), UserError, 'no array "none"; it has order,');
  },
});
