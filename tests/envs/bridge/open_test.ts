import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connectEnvironment } from "../../../lib/envs/bridge/client.ts";
import { gymnasiumId } from "../../../lib/envs/bridge/gymnasium_ids.ts";
import { launchServer, pythonPath } from "../../../lib/envs/bridge/launch.ts";
import { connectTo, openEnvironment } from "../../../lib/envs/bridge/open.ts";
import { environments } from "../../../lib/envs/ids.ts";
import "../../../lib/envs/mujoco/binary.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";
import { UserError } from "../../../lib/errors.ts";
import { mayLaunch } from "./raw_client.ts";

Deno.test("openEnvironment() reports incompatible options", async () => {
  for (
    const [choice, message] of [
      [{ server: "python", profile: "mj22" }, "--profile chooses the physics of the built-in"],
      [{ server: "wasm", token: "abc" }, "--token needs a running server"],
      [{ server: "http://127.0.0.1" }, "--server needs wasm, python or an address"],
    ] as const
  ) await assertRejects(() => openEnvironment(choice, "hopper", 1), UserError, message);
});

Deno.test({
  name:
    "connectTo() on the Python server uses Gymnasium's ids for this project's tasks, or lists the " +
    "available ones (needs `sh bridge/setup.sh`)",
  ignore: !mayLaunch || !await Deno.stat(pythonPath).then(() => true, () => false),
  fn: async () => {
    await using server = await launchServer({ kind: "python" });
    const python = { server: "python" };
    for (const [id, other] of [["hopper-medium-v2", "Hopper-v4"], ["Walker2d-v2", "Walker2d-v4"]]) {
      const { environment, note } = await connectTo(python, server.url, id!, 1);
      assertEquals(environment.spec.id, other);
      assertMatch(note!, new RegExp(`^${other} replaces ${id}: .*MuJoCo 3\\.4\\.0`));
      await environment.close();
    }
    // An id that Gymnasium knows is used as it is.
    const { environment, note } = await connectTo(python, server.url, "Ant-v4", 1);
    assertEquals([environment.spec.id, note], ["Ant-v4", null]);
    await environment.close();
    for (const id of ["maze2d-umaze-v1", "antmaze-medium-play-v2", "ant-medium-v2"]) {
      const error = await connectTo(python, server.url, id, 1).catch((error) => error);
      assert(error instanceof UserError);
      assertMatch(error.message, new RegExp(`no ${id}: .*it has hopper, walker2d, halfcheetah`));
    }

    const suggested = async (id: string) => {
      const error = await connectEnvironment(server.url, id, 1).catch((error) => error);
      return /the nearest are ([^;]*);/.exec(error.message)?.[1]?.split(", ") ?? [];
    };
    for (const id of ["hoper", "Hopper-v9", "pendulum", "LunarLandr-v3", "InvertedPendulum-v3"]) {
      const ids = await suggested(id);
      assertEquals(new Set(ids).size, ids.length, `${id}: one twice in ${ids}`);
      for (const each of ids) await (await connectEnvironment(server.url, each, 1)).close();
    }
    assertEquals((await suggested("hoper")).sort(), ["Hopper-v4", "Hopper-v5"]);
  },
});

Deno.test("gymnasiumId() returns an environment with the same sizes", async () => {
  for (const id of environments.keys()) {
    const other = gymnasiumId(id);
    if (other === null) continue;
    const [ours, theirs] = [environments.get(id)!, environments.get(other)!];
    assertEquals(theirs, { task: ours.task, profile: "mj22" });
  }
  const batch = await makeEnvironment(gymnasiumId("hopper-expert-v2")!, 1);
  assertEquals(batch.spec.observationSize, 11);
  await batch.close();
});
