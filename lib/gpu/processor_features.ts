/**
 * The vector features of the processor, for which a software GPU compiles its kernels.
 *
 * @module
 */

/**
 * Returns the vector features of the processor, sorted and separated by spaces, for example
 * `avx avx2 f16c fma sse4_1 sse4_2`. Returns null except on Linux with permission to read.
 */
export function processorFeatures(): string | null {
  if (Deno.build.os !== "linux") return null;
  try {
    return vectorFeatures(Deno.readTextFileSync("/proc/cpuinfo"));
  } catch {
    return null; // not permitted
  }
}

/** Returns the vector features in the text of `/proc/cpuinfo`; null if it lists no features. */
export function vectorFeatures(cpuinfo: string): string | null {
  const listed = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1];
  if (listed === undefined) return null;
  return listed.split(/\s+/)
    .filter((feature) => /^(sse4|avx|fma|f16c|asimd|fphp|neon|sve)/.test(feature))
    .toSorted().join(" ");
}
