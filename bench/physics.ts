/**
 * Measures the speed of the built-in environments on one core: `deno run -A bench/physics.ts`.
 *
 * Results are the median over rounds, with the best round in parentheses, which shows the effect of
 * other load. Actions have moderate size. Resets of finished environments are part of the measured
 * time.
 *
 * @module
 */

import { makeEnvironment } from "../lib/envs/registry.ts";

const ROUNDS = 15;

/** Returns the milliseconds per lockstep of `count` environments, for each round of `steps`. */
async function lockstepTimes(id: string, count: number, steps: number): Promise<number[]> {
  const batch = await makeEnvironment(id, count);
  const { actionSize } = batch.spec;
  let seed = 0;
  await batch.reset(Array.from({ length: count }, () => seed++));
  const actions = new Float64Array(count * actionSize);
  const times: number[] = [];
  // The first round is a warm-up.
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    for (let t = 0; t < steps; t++) {
      for (let i = 0; i < actions.length; i++) actions[i] = 0.3 * Math.sin(0.37 * t + i);
      const { terminated, truncated } = await batch.step(actions);
      const finished = [...terminated.keys()].filter((i) => terminated[i] || truncated[i]);
      if (finished.length > 0) await batch.reset(finished.map(() => seed++), finished);
    }
    if (round > 0) times.push((performance.now() - start) / steps);
  }
  await batch.close();
  return times.sort((a, b) => a - b);
}

const rows: [id: string, count: number, steps: number][] = [
  ["hopper", 1, 500],
  ["walker2d", 1, 500],
  ["halfcheetah", 1, 500],
  ["ant", 1, 200],
  ["antmaze-large-play-v2", 1, 200],
  ["maze2d-large-v1", 1, 2000],
  ["hopper", 20, 50],
];

console.log("environment               count   steps/s (best)      ms per lockstep (best)");
for (const [id, count, steps] of rows) {
  const times = await lockstepTimes(id, count, steps);
  const [best, median] = [times[0]!, times[Math.floor(times.length / 2)]!];
  const rate = (milliseconds: number) => Math.round(1000 * count / milliseconds);
  console.log(
    id.padEnd(26) + String(count).padStart(5) +
      `${rate(median)} (${rate(best)})`.padStart(17) +
      `${median.toFixed(3)} (${best.toFixed(3)})`.padStart(26),
  );
}
