import { assertEquals, assertRejects } from "@std/assert";
import { projectFile } from "../data/files.ts";
import { tasks } from "../../lib/data/catalog.ts";
import { UserError } from "../../lib/errors.ts";
import { environments } from "../../lib/envs/ids.ts";
import { environmentIds, makeEnvironment } from "../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

async function specOf(id: string, options: { profile?: "mjpy" | "mj22" } = {}) {
  const batch = await makeEnvironment(id, 1, options);
  await batch.close();
  return batch.spec;
}

Deno.test({
  name: "makeEnvironment(): creates every listed id, with its name and reference returns",
  ignore,
  async fn() {
    const ids = environmentIds();
    assertEquals(ids.length, 54);
    for (const id of ids) {
      const spec = await specOf(id);
      assertEquals(spec.id, id);
      assertEquals(spec.referenceReturn !== null, true);
      assertEquals(spec.actionLow, Array(spec.actionSize).fill(-1));
      assertEquals(spec.actionHigh, Array(spec.actionSize).fill(1));
    }
  },
});

Deno.test({
  name: "makeEnvironment(): each task has its sizes and step limit",
  ignore,
  async fn() {
    const rows: [string, number, number, number][] = [
      ["hopper-medium-v2", 11, 3, 1000],
      ["walker2d-expert-v2", 17, 6, 1000],
      ["halfcheetah-medium-expert-v2", 17, 6, 1000],
      ["ant-medium-replay-v2", 111, 8, 1000],
      ["Ant-v3", 111, 8, 1000],
      ["Ant-v4", 27, 8, 1000],
      ["antmaze-umaze-v2", 29, 8, 700],
      ["antmaze-umaze-diverse-v2", 29, 8, 700],
      ["antmaze-medium-play-v2", 29, 8, 1000],
      ["antmaze-large-diverse-v2", 29, 8, 1000],
      ["maze2d-open-v0", 4, 2, 150],
      ["maze2d-umaze-v1", 4, 2, 300],
      ["maze2d-medium-dense-v1", 4, 2, 600],
      ["maze2d-large-v1", 4, 2, 800],
    ];
    for (const [id, observationSize, actionSize, maxEpisodeSteps] of rows) {
      const spec = await specOf(id);
      assertEquals(
        [id, spec.observationSize, spec.actionSize, spec.maxEpisodeSteps],
        [id, observationSize, actionSize, maxEpisodeSteps],
      );
    }
  },
});

Deno.test({
  name: "makeEnvironment(): uses the physics of the id's published results, or the requested one",
  ignore,
  async fn() {
    for (const id of ["hopper", "hopper-medium-v2", "Hopper-v2", "Hopper-v3"]) {
      assertEquals((await specOf(id)).versions, { mujoco: "3.14.0", profile: "mjpy" });
    }
    assertEquals((await specOf("Hopper-v4")).versions["profile"], "mj22");
    assertEquals((await specOf("hopper", { profile: "mj22" })).versions["profile"], "mj22");
  },
});

Deno.test("makeEnvironment(): rejects an unknown id, naming the nearest ones", async () => {
  await assertRejects(
    () => makeEnvironment("hoper-medium-v2", 1),
    UserError,
    'no built-in environment is called "hoper-medium-v2"; the nearest are hopper-medium-v2, ',
  );
  await assertRejects(
    () => makeEnvironment("antmaze-medium-play-v0", 1),
    UserError,
    "the nearest are antmaze-medium-play-v2, ",
  );
});

Deno.test("makeEnvironment(): rejects counts that are not positive integers", async () => {
  for (const count of [0, -1, 1.5, NaN]) {
    await assertRejects(() => makeEnvironment("hopper", count), UserError, `got ${count}`);
  }
});

Deno.test({
  name: "makeEnvironment(): creates every task of the data catalog, with its step limit",
  ignore,
  async fn() {
    for (const [name, { maxEpisodeSteps, referenceReturn }] of tasks) {
      const spec = await specOf(name);
      assertEquals([name, spec.maxEpisodeSteps], [name, maxEpisodeSteps]);
      assertEquals(spec.referenceReturn, referenceReturn);
    }
  },
});

Deno.test({
  name: "docs/bridge.md lists every built-in environment with its default physics",
  ignore,
  fn: async () => {
    const page = await Deno.readTextFile(projectFile("docs/bridge.md"));
    const [, , mjpy, mj22] = page.split(
      /^## Built-in environments$|^Default physics .*$|^`Ant-v4` has/m,
    );
    const listed = [["mjpy", mjpy], ["mj22", mj22]].flatMap(([profile, part]) =>
      [...part!.matchAll(/^[- ] .*$/gm)].flatMap(([line]) =>
        [...line.matchAll(/`([^`]+)`/g)].map(([, id]) => [id!, profile!])
      )
    );
    assertEquals(
      new Map(listed.toSorted() as [string, string][]),
      new Map([...environments].map(([id, { profile }]) => [id, profile] as const).toSorted()),
    );
    assertEquals(listed.length, environments.size);
  },
});
