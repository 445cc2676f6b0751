/**
 * What the bridge costs: `deno run -A bench/bridge.ts`.
 *
 * Milliseconds for one lockstep of 20 hoppers: simulated in this process, over the bridge by a
 * server in a process of its own, and over a bridge whose environments compute nothing (both of its
 * ends in this process). Each figure is the median over rounds, and the best round beside it, which
 * tells what a busy machine took away; the three take turns, so that it takes from all alike.
 *
 * @module
 */
import { connectEnvironment } from "../lib/envs/bridge/client.ts";
import { launchServer } from "../lib/envs/bridge/launch.ts";
import { serveBridge } from "../lib/envs/bridge/server.ts";
import type { EnvironmentBatch } from "../lib/envs/environment.ts";
import { makeEnvironment } from "../lib/envs/registry.ts";

const rounds = 15;
const steps = 200;
const count = 20;

/** Environments in a hopper's sizes that stand still. */
async function still(): Promise<EnvironmentBatch> {
  const hopper = await makeEnvironment("hopper", 1);
  await hopper.close();
  const observations = new Float64Array(count * hopper.spec.observationSize);
  const step = {
    observations,
    rewards: new Float64Array(count),
    terminated: new Uint8Array(count),
    truncated: new Uint8Array(count),
  };
  return {
    spec: { ...hopper.spec, id: "still" },
    count,
    reset: (seeds) => Promise.resolve(observations.subarray(0, seeds.length * 11)),
    resetTo: () => Promise.resolve(null),
    step: () => Promise.resolve(step),
    state: () => Promise.resolve(null),
    close: () => Promise.resolve(),
  };
}

let seed = 0;

/**
 * Milliseconds of one lockstep, over one round. A finished environment is reset within the time.
 */
async function round(batch: EnvironmentBatch): Promise<number> {
  const actions = new Float64Array(count * batch.spec.actionSize);
  const start = performance.now();
  for (let t = 0; t < steps; t++) {
    for (let i = 0; i < actions.length; i++) actions[i] = 0.3 * Math.sin(0.37 * t + i);
    const { terminated, truncated } = await batch.step(actions);
    const finished = [...terminated.keys()].filter((i) => terminated[i] || truncated[i]);
    if (finished.length > 0) await batch.reset(finished.map(() => seed++), finished);
  }
  return (performance.now() - start) / steps;
}

await using launched = await launchServer({ kind: "wasm" });
const nothing = await serveBridge({ makeEnvironment: still });
const batches: Record<string, EnvironmentBatch> = {
  "physics in this process": await makeEnvironment("hopper", count),
  "physics over the bridge": await connectEnvironment(launched.url, "hopper", count),
  "the bridge alone": await connectEnvironment(nothing.url, "still", count),
};
const times = new Map<string, number[]>();
for (let r = 0; r <= rounds; r++) {
  for (const [name, batch] of Object.entries(batches)) {
    if (r === 0) await batch.reset(Array.from({ length: count }, () => seed++));
    const time = await round(batch);
    // The first round warms up and does not count.
    if (r > 0) times.set(name, [...times.get(name) ?? [], time]);
  }
}
for (const batch of Object.values(batches)) await batch.close();
await nothing.close();

console.log(`milliseconds for one lockstep of ${count} hoppers, median (best) of ${rounds} rounds`);
for (const [name, all] of times) {
  all.sort((a, b) => a - b);
  console.log(
    `${name.padEnd(24)} ${all[Math.floor(rounds / 2)]!.toFixed(3)} (${all[0]!.toFixed(3)})`,
  );
}
