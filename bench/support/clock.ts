/**
 * Compares a GPU's timestamps with a wall clock. WebGPU promises nanoseconds, but cards count in
 * periods of their own, which the driver must convert.
 *
 * @module
 */
import { maxChunk, type Program } from "../../lib/gpu/program.ts";

/** Seconds of steps by which the longer measurement exceeds the shorter one. */
const wanted = 0.5;

/** Replays of a step, of which the timestamps of the fastest count. */
const replays = 8;

/**
 * Returns the length of a step by timestamps, divided by its length by a wall clock, or null if the
 * adapter has no timestamp queries. It is near 1 for a step of long dispatches: timestamps need one
 * pass per dispatch, which adds a few microseconds to each. Only a factor of its own, such as 30,
 * tells of a wrong period.
 */
export async function timestampRate(program: Program): Promise<number | null> {
  if (!program.timed) return null;
  const wall = async (steps: number) => {
    const start = performance.now();
    await program.submit(0, steps);
    return (performance.now() - start) / 1e3;
  };
  await program.warmUp();
  const short = await wall(1);
  // The difference excludes what a measurement costs besides the steps.
  const steps = Math.min(maxChunk - 1, Math.max(2, Math.ceil(wanted / short)));
  const long = await wall(1 + steps);
  const last = (await program.profile(0, replays, true)).at(-1)!;
  return (last.start + last.seconds) * steps / (long - short);
}
