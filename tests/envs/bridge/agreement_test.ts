/** The two servers of the bridge compute the same values. */
import { assertEquals, assertLess } from "@std/assert";
import { connectEnvironment } from "../../../lib/envs/bridge/client.ts";
import { launchServer } from "../../../lib/envs/bridge/launch.ts";
import { servers } from "./servers.ts";

Deno.test({
  name: "bridge: both servers compute the same values to 1e-6 over ten steps " +
    "(needs `sh bridge/setup.sh`)",
  ignore: servers.some(({ ignore }) => ignore),
  fn: async () => {
    await using wasm = await launchServer(servers[0]!.server);
    await using python = await launchServer(servers[1]!.server);
    for (const id of ["Hopper-v4", "HalfCheetah-v4", "Walker2d-v4"]) {
      const count = 4;
      const ours = await connectEnvironment(wasm.url, id, count);
      const theirs = await connectEnvironment(python.url, id, count);
      const { actionSize } = ours.spec;
      await theirs.reset([11, 12, 13, 14]);
      const { qpos, qvel } = (await theirs.state())!;
      assertClose(
        `${id} resetTo`,
        (await ours.resetTo(qpos, qvel))!,
        (await theirs.resetTo(qpos, qvel))!,
      );
      for (let t = 0; t < 10; t++) {
        const actions = Float64Array.from(
          { length: count * actionSize },
          // Weaker from one environment to the next, so that none falls before the tenth step.
          (_, k) =>
            0.8 / (1 + Math.floor(k / actionSize)) *
            Math.sin(0.37 * (t + 1) * (k % actionSize + 1)),
        );
        const [a, b] = await Promise.all([ours.step(actions), theirs.step(actions)]);
        assertClose(`${id} observations, step ${t}`, a.observations, b.observations);
        assertClose(`${id} rewards, step ${t}`, a.rewards, b.rewards);
        assertEquals(a.terminated, b.terminated);
        assertEquals(a.truncated, b.truncated);
        assertEquals(a.terminated, new Uint8Array(count), `${id}: an episode ended early`);
        const [p, q] = await Promise.all([ours.state(), theirs.state()]);
        assertClose(`${id} qpos, step ${t}`, p!.qpos, q!.qpos);
        assertClose(`${id} qvel, step ${t}`, p!.qvel, q!.qvel);
      }
      await ours.close();
      await theirs.close();
    }
  },
});

function assertClose(what: string, found: Float64Array, expected: Float64Array): void {
  assertEquals(found.length, expected.length, what);
  found.forEach((value, k) =>
    assertLess(Math.abs(value - expected[k]!), 1e-6, `${what}, entry ${k}`)
  );
}
