import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { collect } from "../../lib/watch/collect.ts";
import { unpack } from "../../lib/watch/content.ts";
import { criticFrom, policyFrom } from "../../lib/algorithms/policy_parts.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";
import { actions, observations, writeSeeds, writeSweep } from "./runs.ts";

const ignore = !mayUseFiles;
const choice = { environment: null, profile: null, actors: null, seed: 0 };
const observation = Float64Array.from({ length: observations }, (_, i) => Math.sin(i));

Deno.test({
  name:
    "collect(): a sweep over β is one family, from cautious to greedy, besides the other actors",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await writeSweep(folder);
      const { content, weights } = collect({ ...choice, path: folder });
      assertEquals(
        content.families.map(({ label, values, actor }) => ({ label, values, actor })),
        [
          { label: "SRPO", actor: "srpo", values: ["β = 0.1", "β = 1", "β = 10"] },
          { label: "AWR", actor: "awr", values: null },
        ],
      );
      // The page's policies act, and its critic judges, as those of the run.
      const [srpo, awr] = content.families;
      const folders = [0.1, 1, 10].map((beta) => join(folder, `seed-4-beta-${beta}`));
      for (const [i, index] of [...srpo!.policies, ...awr!.policies].entries()) {
        const { policy, critic } = unpack(content, weights.buffer, index);
        const trained = openTrained(folders[i] ?? folders[0]!);
        const expected = trained.load(i < 3 ? "srpo" : "awr").policy;
        const acted = [...policyFrom(policy).act(observation, [])];
        assertEquals(acted, [...expected.act(observation, [])]);
        const action = new Float64Array(actions);
        assertEquals(
          criticFrom(critic!).value(observation, action),
          criticFrom(trained.critic!).value(observation, action),
        );
      }
    }),
});

Deno.test({
  name: "collect(): packs only the tensors that act and judge, and equal ones once",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await writeSweep(folder);
      const { content, weights } = collect({ ...choice, path: folder });
      const names = content.sources.flatMap(({ tensors }) => tensors.map(({ name }) => name));
      assert(!names.some((name) => name.startsWith("q0.")), String(names));
      assert(!JSON.stringify(content).includes(folder), "the folder's path is in the page");
      const policy = observations * 16 + 16 + 16 * actions + actions;
      const value = observations * 16 + 16 + 16 + 1;
      // The three policies of the sweep, AWR, and the critic that all share.
      assert(weights.length <= 4 * (4 * policy + value) + 20 * 8, String(weights.length));
    }),
});

Deno.test({
  name: "collect(): every seed of a run has its own policy and critic",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await writeSeeds(folder, [3, 8]);
      const { content, weights } = collect({ ...choice, path: folder });
      assertEquals([content.title, content.environment, content.profile], [
        "IQL on antmaze-umaze-v2",
        "antmaze-umaze-v2",
        "mjpy",
      ]);
      assertEquals(content.families.map(({ label, values }) => [label, values]), [
        ["IQL, seed 3", null],
        ["IQL, seed 8", null],
      ]);
      const state = Float64Array.from({ length: 29 }, (_, i) => Math.cos(i));
      const values = content.families.map(({ policies }) =>
        criticFrom(unpack(content, weights.buffer, policies[0]!).critic!)
          .value(state, new Float64Array(8))
      );
      assertNotEquals(values[0], values[1]);
    }),
});

Deno.test({
  name: "collect(): a policy file is one family without a critic",
  ignore,
  fn: () => {
    const path = projectFile("data/hopper-medium.safetensors");
    const { content } = collect({ ...choice, path, environment: "Hopper-v4" });
    assertEquals(content.families, [
      { label: "hopper-medium", actor: null, values: null, policies: [0] },
    ]);
    assertEquals([content.environment, content.profile], ["Hopper-v4", "mj22"]);
    assertEquals(content.policies[0]!.critic, null);
  },
});

Deno.test({
  name: "collect(): names what is wrong",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = projectFile("data/hopper-medium.safetensors");
      const fails = (more: object, message: string) =>
        assertThrows(() => collect({ ...choice, path, ...more }), UserError, message);
      fails({ environment: "Pendulum-v1" }, '"Pendulum-v1" does not run in a browser');
      fails({ environment: "walker2d" }, "walker2d has 17 and 6; give the task");
      fails({ actors: ["srpo"] }, "is a file with a single policy");
      fails({ path: join(folder, "absent") }, "no such file or folder");
      await writeSweep(folder);
      fails({ path: folder, actors: ["td3"] }, "a run of srpo has no policy td3; it has srpo, awr");
      fails({ path: folder, actors: ["idql"] }, "has no policy idql yet");
    }),
});
