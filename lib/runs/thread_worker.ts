/**
 * Worker script of `thread_times.ts`. It times small and large dispatches of the GPU and sends one
 * message.
 *
 * @module
 */
import { compile } from "../autodiff/compile.ts";
import { Graph } from "../autodiff/graph.ts";
import { linear } from "../autodiff/ops/linear.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import { adapterText, Gpu } from "../gpu/device.ts";
import { KernelCache } from "../gpu/kernel.ts";
import { portableTarget, targetOf } from "../gpu/target.ts";
import type { DispatchSeconds, ThreadMeasurement } from "./thread_times.ts";

/** Layers of a step, each of which is a dispatch. */
const layers = 16;

async function measure(): Promise<ThreadMeasurement> {
  const gpu = await Gpu.open();
  const adapter = adapterText(gpu.adapter);
  if (!gpu.adapter.software) return { adapter, seconds: null };
  const kernels = new KernelCache(gpu);
  const target = gpu.adapter.subgroups ? targetOf("subgroups") : portableTarget;
  const time = async (networks: number, rows: number, width: number, steps: number) => {
    const graph = new Graph({ seeds: Array.from({ length: networks }, (_, seed) => seed) });
    const parameters = new ParameterSet(graph, [
      { name: "weight", rows: width, segments: [width], vector: false },
      { name: "bias", rows: 1, segments: [width], vector: true },
    ], networks);
    const layer = { weight: parameters.get("weight"), bias: parameters.get("bias") };
    let x = graph.input(rows, width);
    for (let i = 0; i < layers; i++) x = linear(graph, x, layer, "relu");
    const program = await compile(gpu, kernels, target, graph, [x]);
    await program.submit(0, Math.ceil(steps / 8)); // compiles the kernel
    let best = Infinity;
    for (let round = 0; round < 2; round++) {
      const began = performance.now();
      await program.submit(0, steps);
      best = Math.min(best, (performance.now() - began) / 1000 / steps / layers);
    }
    return best;
  };
  const seconds: DispatchSeconds = {
    small: await time(1, 8, 8, 256),
    large: await time(7, 128, 64, 32),
  };
  return { adapter, seconds };
}

const scope = globalThis as unknown as {
  postMessage(message: ThreadMeasurement | { readonly error: string }): void;
};
scope.postMessage(
  await measure().catch((error) => ({ error: String((error as Error).message ?? error) })),
);
