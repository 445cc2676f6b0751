/**
 * The activation Mish on the CPU.
 *
 * @module
 */

/**
 * Mish in place: x tanh(ln(1 + eˣ)). With e = eˣ the tanh equals (e² + 2e) / (e² + 2e + 2), which
 * rounds to 1 in double precision long before e² overflows.
 *
 * @param count Number of values, from the first on.
 */
export function mish(values: Float32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const x = values[i]!;
    if (x > 20) continue;
    const e = Math.exp(x);
    const n = e * (e + 2);
    values[i] = x * n / (n + 2);
  }
}
