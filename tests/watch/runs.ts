/**
 * Run directories with untrained networks, for tests of `watch`.
 *
 * @module
 */
import { join } from "node:path";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { encode, type SafeTensor } from "../../lib/runs/safetensors.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { mlpTensors } from "../nn/host/networks.ts";

/** Sizes of hopper. */
export const [observations, actions] = [11, 3];

/** Temperatures of the sweep, not in order. */
const betas = [1, 0.1, 10];

function write(path: string, tensors: Iterable<readonly [string, SafeTensor]>, metadata = {}) {
  Deno.writeFileSync(path, encode(new Map(tensors), metadata));
}

/** Multiplies all numbers, so that the policies of a sweep differ. */
function scaled(tensors: Map<string, SafeTensor>, factor: number): [string, SafeTensor][] {
  return [...tensors].map(([name, tensor]) => [name, {
    ...tensor,
    data: (tensor.data as Float32Array).map((value) => factor * value),
  }]);
}

/** Writes a finished IQL run of the antmaze with these seeds. */
export async function writeSeeds(folder: string, seeds: readonly number[]): Promise<void> {
  const config = {
    version: "0.3.0",
    algorithm: "iql",
    task: "antmaze-umaze-v2",
    stages: ["agent"],
    data: { file: "antmaze.hdf5", sha256: "00", rows: 1 },
    adapter: {},
    hyperparameters: {},
  };
  const run = new RunDirectory(folder);
  await run.writeConfig({ ...config, seeds });
  for (const seed of seeds) {
    const own = run.replica(seed);
    Deno.mkdirSync(join(own.path, "checkpoints"), { recursive: true });
    await own.writeConfig({ ...config, seeds: [seed] });
    const tensors = [
      ...mlpTensors("policy.mean.net", 29, 8, 8),
      ...mlpTensors("value.net", 29, 8, 1),
    ];
    write(own.checkpoint("agent"), scaled(new Map(tensors), 1 + seed), {
      step: "1",
      stage: "agent",
      algorithm: "iql",
    });
  }
}

/** Writes a finished SRPO sweep over β on hopper with one seed. */
export async function writeSweep(folder: string): Promise<void> {
  const config = {
    version: "0.3.0",
    algorithm: "srpo",
    task: "hopper-medium-v2",
    stages: ["critic", "behavior", "policy"],
    data: { file: "hopper.hdf5", sha256: "00", rows: 1 },
    adapter: {},
    seeds: [4],
  };
  const h = hyperparametersFor("locomotion", "quick");
  const run = new RunDirectory(folder);
  await run.writeConfig({ ...config, hyperparameters: { ...h }, sweep: { betas } });
  for (const beta of betas) {
    const variant = run.replica(4, `beta-${beta}`);
    Deno.mkdirSync(join(variant.path, "checkpoints"), { recursive: true });
    await variant.writeConfig({ ...config, hyperparameters: { ...h, beta } });
    const net = mlpTensors("net", observations, 16, actions);
    write(variant.policy, scaled(net, 1 + Math.log10(beta) / 4), { task: "hopper-medium-v2" });
    write(variant.checkpoint("critic"), [
      ...mlpTensors("policy.net", observations, 16, actions),
      ...mlpTensors("vf.v", observations, 16, 1),
      ...mlpTensors("q0.q1", observations + actions, 16, 1),
    ], { step: "1", stage: "critic", algorithm: "srpo" });
  }
}
