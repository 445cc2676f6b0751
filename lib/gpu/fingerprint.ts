/**
 * Fingerprint of an adapter: the observable properties that affect the last bits of its results.
 * The name of an adapter is not enough: Mesa's software driver has the same name in different
 * versions and on different processors.
 *
 * @module
 */
import source from "../../shaders/fingerprint.wgsl" with { type: "text" };
import type { Host } from "./host.ts";

/** What identifies the results of an adapter. */
export interface Fingerprint {
  /** Name of the adapter, for example `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** Vendor and driver as reported by the adapter. */
  readonly driver: string;
  /** Version of the driver, for example `Mesa 22.3.6`; null if unknown. */
  readonly driverVersion: string | null;
  /** Vector features of the processor; null if unknown, and for a hardware GPU. */
  readonly processor: string | null;
  /** Hash of results that a small kernel computed when the device was opened. */
  readonly probe: string;
}

/** Invocations of the probe and values that each writes, as in `shaders/fingerprint.wgsl`. */
const invocations = 256;
const functions = 12;

/** The parts of a fingerprint, with their names in messages. */
const parts = {
  name: "adapter",
  driver: "driver",
  driverVersion: "driver version",
  processor: "processor features",
  probe: "hash of probed results",
} as const;

/** The measured part of a fingerprint. */
type Measured = Omit<Fingerprint, "name" | "driver">;

/**
 * Cached measurements by adapter. Neither the driver nor the processor changes while a process
 * runs.
 */
const measured = new Map<string, Measured>();

/** Returns the parts of a fingerprint that WebGPU does not report, measured once in a process. */
export async function measureFingerprint(
  device: GPUDevice,
  { name, driver, software }: Pick<Fingerprint, "name" | "driver"> & { readonly software: boolean },
  host: Host,
): Promise<Measured> {
  const key = `${name}, ${driver}`;
  const found = measured.get(key) ?? {
    driverVersion: host.driverVersion(driver),
    processor: software ? host.processorFeatures() : null,
    probe: await probedHash(device),
  };
  measured.set(key, found);
  return found;
}

/**
 * Returns what differs between a recorded fingerprint and the present one, as phrases. Parts that
 * are not recorded, or not known now, are not compared.
 */
export function fingerprintDifferences(
  recorded: { readonly [part: string]: unknown },
  now: Fingerprint,
): string[] {
  return (Object.keys(parts) as (keyof Fingerprint)[]).flatMap((part) => {
    const [before, present] = [recorded[part], now[part]];
    if (typeof before !== "string" || present === null || before === present) return [];
    if (part !== "processor") return [`${parts[part]} ${before}, now ${present}`];
    const [old, current] = [before.split(" "), present.split(" ")];
    const gone = old.filter((feature) => !current.includes(feature));
    const added = current.filter((feature) => !old.includes(feature));
    return [
      `${parts[part]}, now ` +
      [
        gone.length > 0 ? `without ${gone.join(" ")}` : "",
        added.length > 0 ? `with ${added.join(" ")}` : "",
      ]
        .filter(Boolean).join(" and "),
    ];
  });
}

/** Returns a hash of results that a small kernel computes: 16 hexadecimal digits. */
async function probedHash(device: GPUDevice): Promise<string> {
  // Without a scope, a kernel that does not compile would leave zeros and no message.
  device.pushErrorScope("validation");
  const size = invocations * functions * 4;
  const values = device.createBuffer({
    label: "probe",
    size,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    label: "probe staging",
    size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const pipeline = device.createComputePipeline({
    label: "fingerprint",
    layout: "auto",
    compute: { module: device.createShaderModule({ code: source }), entryPoint: "main" },
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: values } }],
    }),
  );
  pass.dispatchWorkgroups(invocations / 64);
  pass.end();
  encoder.copyBufferToBuffer(values, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`the GPU rejects the kernel of the fingerprint: ${error.message}`);
  await staging.mapAsync(GPUMapMode.READ);
  const digest = await crypto.subtle.digest("SHA-256", staging.getMappedRange().slice(0));
  values.destroy();
  staging.destroy();
  // Older browsers have no toHex().
  const bytes = [...new Uint8Array(digest)].slice(0, 8);
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
