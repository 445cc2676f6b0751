import { assert, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { runIn, setUp, stageNames, steps } from "./tiny_run.ts";

const granted = ["read", "write"].every((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state === "granted"
);
Deno.test({
  name: "trainStages() continues an interrupted run to the same bits, in every stage",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      await trainStages(runIn(`${root}/whole`, machine));
      for (const stage of stageNames) {
        const directory = `${root}/${stage}`;
        let requested = false;
        const interrupt = {
          get requested() {
            return requested;
          },
        };
        // Interrupts once the progress line shows a few steps of the stage.
        const progress = {
          terminal: true,
          columns: () => 200,
          now: () => performance.now() * 1e6,
          write: (text: string) => {
            const step = new RegExp(`${stage} +([0-9]+)/`).exec(text)?.[1];
            if (Number(step) >= 3 && Number(step) < steps) requested = true;
          },
        };
        const first = await trainStages(runIn(directory, machine, { interrupt, progress }));
        const stopped = first.at(-1)!;
        assertEquals(stopped.stage, stage);
        assert(stopped.step > 0 && stopped.step < steps, `stopped at step ${stopped.step}`);
        await trainStages(runIn(directory, machine, { resume: true }));
        for (const each of stageNames) {
          const read = (run: string) =>
            Deno.readFileSync(`${root}/${run}/checkpoints/${each}.safetensors`);
          assertEquals(read(stage), read("whole"), `${each} after interrupting ${stage}`);
        }
        const policy = (run: string) => Deno.readFileSync(`${root}/${run}/policy.safetensors`);
        assertEquals(policy(stage), policy("whole"));
      }
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() trains several seeds in one run to the bits each gets alone",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      const seeds = [3, 0, 7];
      await trainStages(runIn(`${root}/all`, machine, { seeds }));
      for (const seed of [3, 7]) {
        await trainStages(runIn(`${root}/${seed}`, machine, { seeds: [seed] }));
        for (const stage of stageNames) {
          const file = `checkpoints/${stage}.safetensors`;
          assertEquals(
            Deno.readFileSync(`${root}/all/seed-${seed}/${file}`),
            Deno.readFileSync(`${root}/${seed}/${file}`),
            `${stage} of seed ${seed}`,
          );
        }
      }
      assert(
        !sameBytes(
          Deno.readFileSync(`${root}/all/seed-3/policy.safetensors`),
          Deno.readFileSync(`${root}/all/seed-7/policy.safetensors`),
        ),
        "two seeds gave the same policy",
      );
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() names checkpoints as the official state dicts",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    try {
      await trainStages(runIn(`${root}/run`, machine, { stages: ["critic", "behavior"] }));
      const names = (stage: string) => {
        const path = `${root}/run/checkpoints/${stage}.safetensors`;
        return [...decode(Deno.readFileSync(path), path).tensors.keys()];
      };
      for (
        const name of [
          "q0.q1.0.weight",
          "q0_target.q2.4.bias",
          "vf.v.2.weight",
          "policy.net.4.bias",
        ]
      ) {
        assert(names("critic").includes(name), name);
      }
      for (
        const name of [
          "embed.0.W",
          "cond_model.2.bias",
          "main.blocks.1.layer_norm.weight",
          "main.out_fc.bias",
        ]
      ) {
        assert(names("behavior").includes(`diffusion.${name}`), name);
      }
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

Deno.test({
  name: "trainStages() stops at an infinite loss, naming stage, step and metric",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    // The square of such a reward is beyond float32.
    const machine = await setUp(1e30);
    try {
      const run = runIn(`${root}/run`, machine, { stages: ["critic"] });
      await assertRejects(
        () => trainStages(run),
        UserError,
        "critic stage, step 1: loss_q is Infinity",
      );
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
