/**
 * `@jax-js/jax` as a contestant, on the device given as the first argument (`webgpu` or `wasm`).
 *
 * It is used as documented. A whole step is one `jit` function, which is traced once and fuses what
 * it can. Arrays stay on the device and ownership is transferred instead of copying. Nothing is
 * read back while steps run; `blockUntilReady` ends a timing. Batches are uploaded before timing
 * and used in turn, so its steps draw no minibatch, unlike those of our engine and PyTorch.
 *
 * @module
 */
import { blockUntilReady, defaultDevice, init, jit, numpy as np, tree } from "@jax-js/jax";
import type { StepTask, Task } from "../support/tasks.ts";
import { type Ready, serve, unknownTask } from "../support/worker.ts";
import { behaviorTask, criticTask, type JaxTask, mlpTask } from "./jax_steps.ts";

/** Returns the implementation of a task. */
function taskOf(task: Task): JaxTask {
  if (task.step === "product" || (task.seeds ?? 1) !== 1 || task.tiny) unknownTask(task);
  switch (task.step) {
    case "mlp":
      return mlpTask();
    case "critic":
      return criticTask();
    case "behavior":
      return behaviorTask();
    default:
      return unknownTask(task);
  }
}

// deno-lint-ignore require-await
async function prepare(task: Task): Promise<Ready> {
  const { initial, batches, drawn } = taskOf(task);
  const step = jit(drawn);
  let state = initial();
  let next = 0;
  const uploaded = batches();
  return {
    run: async (steps) => {
      for (let i = 0; i < steps; i++) {
        const batch = uploaded[next++ % uploaded.length]!;
        const [after, losses] = step(state, tree.ref(batch));
        losses.dispose();
        state = after;
      }
      await blockUntilReady(state);
    },
  };
}

async function losses(task: StepTask, steps: number): Promise<number[]> {
  const { initial, sample, given } = taskOf(task);
  const step = jit(given);
  const batch = sample();
  let state = initial();
  const all: number[] = [];
  for (let i = 0; i < steps; i++) {
    const [after, losses] = step(state, tree.ref(batch));
    all.push(...await losses.data() as Float32Array);
    state = after;
  }
  return all;
}

const device = Deno.args[0] === "wasm" ? "wasm" : "webgpu";
const available = await init(device);
if (!available.includes(device)) throw new Error(`jax-js has no device ${device} here`);
defaultDevice(device);
// Using the device once fails early if it does not work.
np.zeros([1]).dispose();
await serve({
  device: `@jax-js/jax 0.1.25 on ${device}`,
  prepare,
  losses: (task, steps) => losses(task as StepTask, steps),
});
// jax-js's pool of WebAssembly workers would keep the process alive.
Deno.exit(0);
