import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import antMj22 from "../../fixtures/trajectories/ant.mj22.json" with { type: "json" };
import antMjpy from "../../fixtures/trajectories/ant.mjpy.json" with { type: "json" };
import cheetahMj22 from "../../fixtures/trajectories/halfcheetah.mj22.json" with { type: "json" };
import cheetahMjpy from "../../fixtures/trajectories/halfcheetah.mjpy.json" with { type: "json" };
import hopperMj22 from "../../fixtures/trajectories/hopper.mj22.json" with { type: "json" };
import hopperMjpy from "../../fixtures/trajectories/hopper.mjpy.json" with { type: "json" };
import walkerMj22 from "../../fixtures/trajectories/walker2d.mj22.json" with { type: "json" };
import walkerMjpy from "../../fixtures/trajectories/walker2d.mjpy.json" with { type: "json" };
import gymnasium from "../../fixtures/trajectories/gymnasium-v4.json" with { type: "json" };
import umaze from "../../fixtures/trajectories/maze2d-umaze.json" with { type: "json" };
import { mjcf, type Profile } from "../../../lib/envs/mujoco/mjcf.ts";
import type { Robot } from "../../../lib/envs/mujoco/robot.ts";
import { ant } from "../../../lib/envs/mujoco/robots/ant.ts";
import { halfcheetah } from "../../../lib/envs/mujoco/robots/halfcheetah.ts";
import { hopper } from "../../../lib/envs/mujoco/robots/hopper.ts";
import { walker2d } from "../../../lib/envs/mujoco/robots/walker2d.ts";
import { compile, mujoco, Simulation } from "../../../lib/envs/mujoco/simulation.ts";
import { makeEnvironment } from "../../../lib/envs/registry.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

const distance = (actual: Iterable<number>, expected: readonly number[]): number =>
  Math.max(...[...actual].map((value, i) => Math.abs(value - expected[i]!)));

const native: [Robot, Profile, typeof antMj22][] = [
  [hopper, "mjpy", hopperMjpy],
  [hopper, "mj22", hopperMj22],
  [walker2d, "mjpy", walkerMjpy],
  [walker2d, "mj22", walkerMj22],
  [halfcheetah, "mjpy", cheetahMjpy],
  [halfcheetah, "mj22", cheetahMj22],
  [ant, "mjpy", antMjpy],
  [ant, "mj22", antMj22],
];

for (const [robot, profile, trajectory] of native) {
  Deno.test({
    name:
      `mjcf(): ${robot.name} with ${profile} matches native MuJoCo to 1e-11 at step 1, 1e-8 at 10`,
    ignore,
    async fn() {
      const module = await mujoco();
      const model = compile(module, mjcf(robot, profile, "256K"));
      const simulation = new Simulation(module, model);
      simulation.reset();
      simulation.qpos.set(trajectory.qpos0);
      simulation.qvel.set(trajectory.qvel0);
      simulation.forward();
      const errors = trajectory.rows.map((row, t) => {
        const { ctrl } = simulation;
        for (let k = 0; k < ctrl.length; k++) ctrl[k] = 0.8 * Math.sin(0.37 * (t + 1) * (k + 1));
        simulation.step(trajectory.frame_skip);
        return distance([...simulation.qpos, ...simulation.qvel], row);
      });
      assertEquals(errors.length, 10);
      assertLessOrEqual(errors[0]!, 1e-11);
      assertLessOrEqual(Math.max(...errors), 1e-8);
      simulation.delete();
      model.delete();
    },
  });
}

for (const [id, segments] of Object.entries(gymnasium)) {
  Deno.test({
    name: `makeEnvironment(): ${id} matches Gymnasium's observations, rewards and terminations`,
    ignore,
    async fn() {
      for (const segment of segments) {
        const batch = await makeEnvironment(id, 1);
        await batch.resetTo(Float64Array.from(segment.qpos), Float64Array.from(segment.qvel));
        for (const [t, action] of segment.actions.entries()) {
          const step = await batch.step(Float64Array.from(action));
          assertEquals(step.observations.length, segment.observations[t]!.length);
          assertLessOrEqual(distance(step.observations, segment.observations[t]!), 1e-8);
          assertLessOrEqual(distance(step.rewards, [segment.rewards[t]!]), 1e-8);
          const last = t === segment.actions.length - 1;
          assertEquals(step.terminated[0], Number(last && segment.terminated));
        }
        await batch.close();
      }
      assert(id === "HalfCheetah-v4" || segments.some(({ terminated }) => terminated));
    },
  });
}

Deno.test({
  name: "makeEnvironment(): maze2d matches the motion of an independent model to 1e-6",
  ignore,
  async fn() {
    const batch = await makeEnvironment("maze2d-umaze-v1", 1);
    for (let row = 0; row + 1 < umaze.observations.length; row++) {
      const [x, y, velocityX, velocityY] = umaze.observations[row] as [
        number,
        number,
        number,
        number,
      ];
      await batch.resetTo(Float64Array.of(x, y), Float64Array.of(velocityX, velocityY));
      const step = await batch.step(Float64Array.from(umaze.actions[row]!));
      assertLessOrEqual(distance(step.observations, umaze.observations[row + 1]!), 1e-6);
    }
    await batch.close();
  },
});
