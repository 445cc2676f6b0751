/**
 * The measured roofline of an adapter: its peak rate of additions and multiplications in registers,
 * and its peak memory bandwidth.
 *
 * @module
 */
import arithmeticSource from "../../shaders/roofline_arithmetic.wgsl" with { type: "text" };
import copySource from "../../shaders/roofline_copy.wgsl" with { type: "text" };
import type { Gpu } from "./device.ts";
import type { KernelCache } from "./kernel.ts";
import { Program, type ProgramPlan } from "./program.ts";

/** Upper bounds on the speed of a kernel. */
export interface Roofline {
  /** f32 additions and multiplications per second. */
  readonly flops: number;
  /** Bytes read and written per second, in arrays larger than most caches. */
  readonly bytes: number;
}

const lanes = 256;
/** Additions and multiplications per round and invocation: 8 fma on each of 12 f32 chains. */
const roundFlops = 2 * 12 * 8;
const workgroups = 1024;
/** Bytes read by the copy; it writes the same number. */
const copied = 64 * 2 ** 20;

/**
 * Measures the roofline. It takes tens of milliseconds, or hundreds on a software GPU.
 *
 * @returns The roofline, or null if the adapter has no timestamp queries.
 */
export async function measureRoofline(gpu: Gpu, kernels: KernelCache): Promise<Roofline | null> {
  if (!gpu.device.features.has("timestamp-query")) return null;
  const best = async (plan: Pick<ProgramPlan, "dispatches" | "arenas">): Promise<number> => {
    const program = await Program.create(gpu, kernels, {
      ...plan,
      shared: {},
      metrics: 0,
      scalars: [],
    });
    try {
      return (await program.profile(0, 4))[0]!.seconds;
    } finally {
      program.destroy();
    }
  };
  const arithmetic = async (rounds: number) => {
    const seconds = await best({
      arenas: { written: workgroups * lanes * 16 },
      dispatches: [{
        kernel: { name: "roofline arithmetic", source: arithmeticSource },
        jobs: [{ fields: { rounds, factor: 0.999, summand: 0.001 }, tiles: workgroups }],
      }],
    });
    return { seconds, flops: (workgroups * lanes * rounds * roundFlops) / seconds };
  };
  // The second measurement takes about 5 ms, so that the launch overhead is negligible.
  const rounds = 8;
  const first = await arithmetic(rounds);
  const { flops } = first.seconds > 5e-3
    ? first
    : await arithmetic(Math.ceil((rounds * 5e-3) / first.seconds));
  const { maxStorageBufferBindingSize, maxBufferSize } = gpu.limits;
  const size = Math.min(copied, maxStorageBufferBindingSize, maxBufferSize);
  const seconds = await best({
    arenas: { written: size, source: size },
    dispatches: [{
      kernel: { name: "roofline copy", source: copySource },
      jobs: [{ fields: { count: size / 16 }, tiles: Math.ceil(size / 16 / lanes) }],
    }],
  });
  return { flops, bytes: (2 * size) / seconds };
}
