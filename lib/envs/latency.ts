import type { Policy } from "../nn/host/policy.ts";
import { RandomStream } from "./random.ts";

/** Milliseconds of calls before the measurement, in which the code is compiled, and of it. */
const spans = { warmUp: 50, measured: 100 };

/** Calls that are measured at least. */
const fewestCalls = 5;

/**
 * The time of one action: the median over many calls with one observation.
 *
 * @returns Milliseconds.
 */
export function actionLatency(policy: Policy): number {
  const random = [new RandomStream(0)];
  const observation = Float64Array.from(
    { length: policy.observationSize },
    () => random[0]!.normal(),
  );
  const call = () => {
    const begin = performance.now();
    policy.act(observation, random);
    return performance.now() - begin;
  };
  const warm = performance.now() + spans.warmUp;
  do call(); while (performance.now() < warm);
  const end = performance.now() + spans.measured;
  const times: number[] = [];
  while (times.length < fewestCalls || performance.now() < end) times.push(call());
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
