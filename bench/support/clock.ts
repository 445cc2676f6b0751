/**
 * Compares a GPU's timestamps with a wall clock. WebGPU promises nanoseconds, but cards count in
 * periods of their own, which the driver must convert.
 *
 * @module
 */
import type { Program } from "../../lib/gpu/program.ts";

/** Seconds of replays by which the longer measurement exceeds the shorter one. */
const wanted = 0.5;

/**
 * Returns the seconds that timestamps advance per second of wall clock, or null if the adapter has
 * no timestamp queries. It is at most about 1, because the fastest replay is compared with the average
 * one, with the gaps between replays. Only a factor of its own, such as 30, tells of a wrong period.
 */
export async function timestampRate(program: Program): Promise<number | null> {
  if (!program.timed) return null;
  const replay = async (rounds: number) => {
    const start = performance.now();
    const last = (await program.profile(0, rounds)).at(-1)!;
    return { wall: (performance.now() - start) / 1e3, span: last.start + last.seconds };
  };
  await replay(1);
  const short = await replay(1);
  // The difference excludes what a measurement costs besides the replays.
  const rounds = Math.min(1000, Math.max(2, Math.ceil(wanted / short.wall)));
  const long = await replay(1 + rounds);
  return rounds * long.span / (long.wall - short.wall);
}
