/** Runs `train` in this process, with a GPU that is destroyed during training. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { UserError } from "../../lib/errors.ts";

const ignore = !(["read", "write", "run", "env", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);
const data = fileURLToPath(new URL("../../data/maze2d-umaze-100k.hdf5", import.meta.url));

/**
 * Runs `train` and destroys the devices that it opens, after so many chunks of steps each.
 *
 * @returns What was printed to standard error.
 */
async function trainLosing(chunks: readonly number[], args: readonly string[]): Promise<string> {
  const { train } = await import("../../lib/commands/train.ts");
  const { TrainingStep } = await import("../../lib/autodiff/training_step.ts");
  const { requestDevice } = GPUAdapter.prototype;
  const { submit } = TrainingStep.prototype;
  const { log, error } = console;
  const errors: string[] = [];
  let device: GPUDevice | null = null;
  let submitted = 0;
  const left = [...chunks];
  GPUAdapter.prototype.requestDevice = async function (...options) {
    submitted = 0;
    return device = await requestDevice.apply(this, options);
  };
  TrainingStep.prototype.submit = function (...steps) {
    if (submitted++ === left[0]) {
      left.shift();
      device!.destroy();
    }
    return submit.apply(this, steps);
  };
  console.log = () => {};
  console.error = (...texts) => errors.push(texts.join(" "));
  try {
    assertEquals(await train(args), 0);
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
    TrainingStep.prototype.submit = submit;
    Object.assign(console, { log, error });
  }
  assertEquals(left, []);
  return errors.join("\n");
}

Deno.test({
  name: "train continues once after the GPU is lost, and ends with advice the second time",
  ignore,
  fn: async () => {
    const folder = Deno.makeTempDirSync();
    const run = (name: string) => [
      ...[data, "--task", "maze2d-umaze-v1", "--stage", "critic", "--preset", "quick"],
      ...["--critic-steps", "20", "--critic-width", "8", "--critic-batch-size", "8"],
      ...["--eval-episodes", "0", "--no-cache", "--matmul", "tiled", "--out", `${folder}/${name}`],
    ];
    const critic = (name: string) =>
      Deno.readFileSync(`${folder}/${name}/checkpoints/critic.safetensors`);
    try {
      assertEquals(await trainLosing([], run("whole")), "");
      const errors = await trainLosing([2], run("once"));
      assertStringIncludes(errors, "the GPU device was lost");
      assertStringIncludes(errors, "resuming from the last checkpoint");
      assertEquals(critic("once"), critic("whole"));
      const { message } = await assertRejects(() => trainLosing([2, 1], run("twice")), UserError);
      assertStringIncludes(message, "This happened twice");
      assertStringIncludes(message, `train --resume ${folder}/twice`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
