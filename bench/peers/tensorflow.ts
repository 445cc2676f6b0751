/**
 * `@tensorflow/tfjs-backend-webgpu` as a contestant.
 *
 * It is used as documented. The backend is set and awaited once. Layers are fused products
 * (`tf.fused.matMul`, like tfjs's own dense layers) of variables. `optimizer.minimize` takes the
 * step and frees intermediate tensors. No loss is requested or read back while steps run; reading a
 * bias ends a timing.
 *
 * @module
 */
import "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs";
import { layers, samples, sampleSeeds } from "../support/samples.ts";
import type { Task } from "../support/tasks.ts";
import { serve, unknownTask } from "../support/worker.ts";

/** The perceptron of the `peers` benchmark, and its step. */
function perceptron(task: Task) {
  if (task.step !== "mlp" || task.tiny || (task.seeds ?? 1) !== 1) unknownTask(task);
  const sizes = [28, 256, 256, 1];
  const x = tf.tensor2d(samples(sampleSeeds.state, 256 * 28), [256, 28]);
  const y = tf.tensor2d(samples(sampleSeeds.reward, 256), [256, 1]);
  const weights = layers(sampleSeeds.mlp, sizes).map((values, i) => {
    const [inputs, outputs] = [sizes[i >> 1]!, sizes[(i >> 1) + 1]!];
    return tf.variable(
      i % 2 === 0 ? tf.tensor2d(values, [outputs, inputs]) : tf.tensor1d(values),
    );
  });
  const network = () => {
    let h = x;
    for (let i = 0; i < weights.length; i += 2) {
      h = tf.fused.matMul({
        a: h,
        b: weights[i] as tf.Tensor2D,
        transposeB: true,
        bias: weights[i + 1]!,
        activation: i < weights.length - 2 ? "relu" : "linear",
      }) as tf.Tensor2D;
    }
    return h;
  };
  const loss = () => tf.mean(tf.squaredDifference(network(), y)) as tf.Scalar;
  const optimizer = tf.train.adam(3e-4, 0.9, 0.999, 1e-8);
  return { weights, step: (wanted: boolean) => optimizer.minimize(loss, wanted, weights) };
}

await tf.setBackend("webgpu");
await tf.ready();
if (tf.getBackend() !== "webgpu") throw new Error("tfjs has no WebGPU backend here");
await serve({
  device: "@tensorflow/tfjs-backend-webgpu 4.22.0",
  // deno-lint-ignore require-await
  prepare: async (task) => {
    const { weights, step } = perceptron(task);
    return {
      run: async (steps) => {
        for (let i = 0; i < steps; i++) step(false);
        await weights.at(-1)!.data();
      },
    };
  },
  losses: async (task, steps) => {
    const { step } = perceptron(task);
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) losses.push((await step(true)!.data())[0]!);
    return losses;
  },
});
