/** AntMaze from data to an evaluated policy. The ant acts by random weights, so scores are 0. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !mayUseFiles || Deno.permissions.querySync({ name: "ffi" }).state !== "granted";

/** Writes an actor of the ant, 29-16-8, with seeded weights. */
async function writeActor(path: string): Promise<void> {
  const { encode } = await import("../../lib/runs/safetensors.ts");
  const { RandomStream } = await import("../../lib/envs/random.ts");
  const random = new RandomStream(3);
  const tensor = (shape: number[]) => ({
    dtype: "F32" as const,
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
  });
  const tensors = new Map([
    ["net.0.weight", tensor([16, 29])],
    ["net.0.bias", tensor([16])],
    ["net.2.weight", tensor([8, 16])],
    ["net.2.bias", tensor([8])],
  ]);
  await Deno.writeFile(path, encode(tensors));
}

Deno.test({
  name: "dataCollect() plays an actor in antmaze, and train() learns from its file and evaluates",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { dataCollect } = await import("../../lib/commands/data_collect.ts");
      const { dataCheck } = await import("../../lib/commands/data_check.ts");
      const { train } = await import("../../lib/commands/train.ts");
      const { D4rlFile } = await import("../../lib/data/hdf5.ts");
      const { readDataset } = await import("../../lib/data/dataset.ts");
      const [actor, out, run] = ["actor.safetensors", "ant.hdf5", "run"]
        .map((name) => join(folder, name)) as [string, string, string];
      await writeActor(actor);
      const task = "antmaze-umaze-diverse-v2";
      const rows = 1450;
      await printed(() =>
        dataCollect([
          ...["--task", task, "--policy", actor, "--noise", "0.2"],
          ...["--steps", String(rows), "--out", out],
        ])
      );

      const file = await D4rlFile.open(out);
      const d4rl = ["observations", "actions", "rewards", "terminals", "timeouts"];
      const infos = ["infos/goal", "infos/qpos", "infos/qvel"];
      for (const field of [...d4rl, ...infos]) assert(file.has(field), field);
      assertEquals(
        infos.map((field) => file.layout(field).shape),
        [[rows, 2], [rows, 15], [rows, 14]],
      );
      const [goals, qpos] = [new Float32Array(2 * rows), new Float64Array(15 * rows)];
      file.read("infos/goal", goals);
      file.read("infos/qpos", qpos);
      file.close();
      const data = await readDataset([out]);
      const starts = [0];
      for (let row = 1; row < rows; row++) {
        const ended = data.timeouts[row - 1] === 1 || data.terminals[row - 1] === 1;
        const changed = goals[2 * row] !== goals[2 * row - 2] ||
          goals[2 * row + 1] !== goals[2 * row - 1];
        assertEquals(changed, ended, `row ${row}`);
        if (ended) starts.push(row);
      }
      assert(starts.length >= 3, String(starts));
      const cells = new Set(
        starts.map((row) =>
          `${Math.round(qpos[15 * row]! / 4)} ${Math.round(qpos[15 * row + 1]! / 4)}`
        ),
      );
      assert(cells.size > 1, [...cells].join(", "));
      await printed(async () => assertEquals(await dataCheck([out, "--rows", "100"]), 0));

      // Rewards that a rule does not fit are refused before there is a run.
      const fit = [out, "--preset", "quick", "--reward-rule", "return_range"];
      await assertRejects(() => train([...fit, "--out", run]), UserError, "choose another rule");
      await assertRejects(() => Deno.stat(run), Deno.errors.NotFound);

      const small = ["--critic-width", "8", "--critic-batch-size", "8", "--critic-steps", "3"];
      const text = await printed(() =>
        train([
          ...[out, "--preset", "quick", "--stage", "critic", ...small, "--out", run, "--no-cache"],
          ...["--eval-episodes", "1", "--json"],
        ])
      );
      const result = JSON.parse(text.split("\n").at(-1)!);
      assertEquals([result.task, result.finished], [task, true]);
      const [{ episodes }, ...others] = result.evaluations;
      assertEquals([episodes.length, others], [1, []]);
      assert(episodes[0].length <= 700);
    }),
});
