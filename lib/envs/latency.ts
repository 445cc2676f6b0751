import type { Policy, RemotePolicy } from "../nn/host/policy.ts";
import { RandomStream } from "./random.ts";

/** Durations in milliseconds: the warm-up, in which the code is compiled, and the measurement. */
const spans = { warmUp: 50, measured: 100 };

/** Smallest number of measured calls. */
const minCalls = 5;

/**
 * Measures the time to compute one action: the median over repeated calls with one observation.
 *
 * @returns Milliseconds.
 */
export async function actionLatency(policy: Policy | RemotePolicy): Promise<number> {
  const random = [new RandomStream(0)];
  const observation = Float64Array.from(
    { length: policy.observationSize },
    () => random[0]!.normal(),
  );
  const call = async () => {
    const begin = performance.now();
    await policy.act(observation, random);
    return performance.now() - begin;
  };
  const warm = performance.now() + spans.warmUp;
  do await call(); while (performance.now() < warm);
  const end = performance.now() + spans.measured;
  const times: number[] = [];
  while (times.length < minCalls || performance.now() < end) times.push(await call());
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
