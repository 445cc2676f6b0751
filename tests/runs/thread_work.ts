/**
 * Times of dispatches and work of stages, for tests of the choice of threads.
 *
 * @module
 */
import { largeFlops } from "../../lib/runs/thread_times.ts";

/** Waking threads takes 30 µs more, and two threads are twice as fast as one. */
export const times = {
  all: { small: 40e-6, large: 40e-6 + largeFlops / 80e9 },
  alone: { small: 10e-6, large: 10e-6 + largeFlops / 40e9 },
};

/** Stages of a thousand steps of ten dispatches. */
export const stage = (megaflopsPerDispatch: number) => ({
  stage: "critic",
  steps: 1000,
  dispatches: 10,
  flops: 10 * 1e6 * megaflopsPerDispatch,
});
