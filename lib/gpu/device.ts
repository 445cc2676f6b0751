/**
 * The GPU: one adapter and one device with the limits that the adapter grants. Uncaptured errors
 * and a lost device can occur at any time; they are recorded and thrown by the next check.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { type Fingerprint, measureFingerprint } from "./fingerprint.ts";
import { type ComputeThreads, type Host, otherHost } from "./host.ts";

/** The adapter of a run, printed by every run and recorded in its configuration. */
export interface AdapterDescription extends Fingerprint {
  /** Whether the adapter is a software GPU that runs on the CPU. */
  readonly software: boolean;
  /** Whether subgroup operations were requested and granted. */
  readonly subgroups: boolean;
}

/** Formats an adapter for the user. */
export function adapterText(
  { name, driver, driverVersion, software }: AdapterDescription,
): string {
  // In browsers, the name is no more than the driver.
  return `${name}${software ? ", a software GPU" : ""}${
    name === driver ? "" : ` (driver ${driver})`
  }` +
    (driverVersion === null ? "" : `, ${driverVersion}`);
}

/**
 * The device cannot be used any more: it was lost, is out of memory, or does not answer. Opening
 * the GPU again may help.
 */
export class GpuLostError extends UserError {}

/** An open WebGPU device. */
export class Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** Description of the adapter. */
  readonly adapter: AdapterDescription;
  /** The granted limits. */
  readonly limits: GPUSupportedLimits;
  /** Time after which a readback that does not arrive counts as lost, in milliseconds. */
  readbackMilliseconds = 10 * 60 * 1000;
  #threads: ComputeThreads | null = null;
  #failure: Error | null = null;
  #closed = false;
  /** Rejects the readbacks that have not arrived. */
  readonly #waiting = new Set<(error: Error) => void>();

  private constructor(device: GPUDevice, adapter: AdapterDescription) {
    this.device = device;
    this.adapter = adapter;
    this.limits = device.limits;
    // Without a listener, an invalid shader prints nothing and the process exits with 0.
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      const { error } = event as GPUUncapturedErrorEvent;
      this.#failure ??= error instanceof GPUOutOfMemoryError
        ? new GpuLostError(
          `the GPU is out of memory (${error.message}); close other programs that use it, or train ` +
            "fewer seeds or variants at once",
        )
        : new Error(`the GPU reported an error: ${error.message}`);
    });
    device.lost.then((info) => {
      if (!this.#closed) {
        this.#failure ??= new GpuLostError(
          `the GPU device was lost (${info.reason || "unknown reason"}): ${info.message}`,
        );
      }
      const error = this.#failure ?? new Error("the GPU was closed during a readback");
      for (const reject of this.#waiting) reject(error);
    });
  }

  /**
   * Opens the adapter that WebGPU prefers (`DENO_WEBGPU_BACKEND` selects the API).
   *
   * @throws {UserError} There is no adapter, or only the OpenGL fallback, which computes in lower
   * precision and is never used silently.
   */
  static async open(): Promise<Gpu> {
    const host = await currentHost();
    host.prepare();
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({
      powerPreference: "high-performance",
    });
    if (!adapter) throw new UserError(`no WebGPU adapter was found. ${host.advice}`);
    const vendor = vendorName(adapter.info.vendor);
    const driver = [vendor, adapter.info.architecture].filter(Boolean).join(" ");
    // Browsers tell no more than the vendor and the architecture.
    const name = adapter.info.description || adapter.info.device || driver || "unnamed adapter";
    if (glSigns.every((feature) => !adapter.features.has(feature as GPUFeatureName))) {
      throw new UserError(
        `only WebGPU's OpenGL fallback was found (${name}), which this program does not use. ` +
          host.advice,
      );
    }
    const requiredLimits: Record<string, number> = {};
    for (const key of Object.keys(Object.getPrototypeOf(adapter.limits))) {
      const value = (adapter.limits as unknown as Record<string, unknown>)[key];
      if (typeof value === "number" && wantedLimits.has(key)) requiredLimits[key] = value;
    }
    const features = [...adapter.features].filter((name) => name === "timestamp-query");
    const { device, subgroups } = await requestDevice(adapter, requiredLimits, features);
    const software = adapter.info.isFallbackAdapter ||
      /llvmpipe|swiftshader|warp|basic render/i.test(name);
    let fingerprint;
    try {
      fingerprint = await measureFingerprint(device, { name, driver, software }, host);
    } catch (error) {
      device.destroy();
      throw error;
    }
    const gpu = new Gpu(device, { name, driver, software, subgroups, ...fingerprint });
    if (software) gpu.#threads = host.computeThreads();
    return gpu;
  }

  /** Throws the first error that the GPU has reported since the device was opened, if any. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Submits commands to the queue. */
  submit(commands: GPUCommandBuffer): void {
    this.#threads?.adjust();
    this.device.queue.submit([commands]);
  }

  /** Creates a zero-filled storage buffer. `size` is in bytes and rounded up to whole vec4s. */
  buffer(label: string, size: number): GPUBuffer {
    if (size > this.limits.maxStorageBufferBindingSize || size > this.limits.maxBufferSize) {
      const limit = Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize);
      throw new UserError(
        `${label} needs ${mebibytes(size)} of GPU memory in one buffer, but ${this.adapter.name} ` +
          `binds at most ${mebibytes(limit)}. Use a smaller batch or narrower networks.`,
      );
    }
    return this.device.createBuffer({
      label,
      size: Math.max(16, Math.ceil(size / 16) * 16),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Reads back `size` bytes of `source`. It waits for the queue, so do not call it every step. */
  async read(source: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const staging = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, offset, staging, 0, size);
    this.submit(encoder.finish());
    await this.map(staging, size);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    this.check();
    return bytes;
  }

  /** Writes floats to a buffer, starting at float `offset`. */
  writeFloats(target: GPUBuffer, offset: number, values: Float32Array): void {
    // A part of a concatenation may have no columns, and Deno crashes on an empty write.
    if (values.length === 0) return;
    this.device.queue.writeBuffer(target, offset * 4, values as Float32Array<ArrayBuffer>);
  }

  /** Reads back `length` floats of a buffer, starting at float `offset`. It waits for the queue. */
  async readFloats(source: GPUBuffer, offset: number, length: number): Promise<Float32Array> {
    if (length === 0) return new Float32Array();
    return new Float32Array(await this.read(source, offset * 4, length * 4));
  }

  /**
   * Waits for the queue and maps the first `size` bytes of a staging buffer.
   *
   * @throws {GpuLostError} The device was lost, or did not answer in time.
   * @throws {Error} The mapping failed. If the GPU reported an error, that error is thrown.
   */
  async map(staging: GPUBuffer, size: number): Promise<void> {
    const wait = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#failure ??= new GpuLostError(
        `the GPU did not answer for ${this.readbackMilliseconds / 1000} s`,
      );
      wait.reject(this.#failure);
    }, this.readbackMilliseconds);
    this.#waiting.add(wait.reject);
    try {
      staging.mapAsync(GPUMapMode.READ, 0, size).then(wait.resolve, wait.reject);
      await wait.promise;
    } catch (error) {
      // The mapping's own message is uninformative. The actual error is reported some events later.
      await this.lost();
      this.check();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(wait.reject);
    }
  }

  /**
   * Returns why the device cannot be used any more; null if it can. Call it after an error, which
   * may be a consequence.
   */
  async lost(): Promise<GpuLostError | null> {
    for (let event = 0; event < 20 && this.#failure === null; event++) {
      await new Promise((resolve) => setTimeout(resolve, event));
    }
    return this.#failure instanceof GpuLostError ? this.#failure : null;
  }

  /** Destroys the device. */
  close(): void {
    this.#closed = true;
    this.device.destroy();
  }
}

/** Vendor names by the ids that Deno reports (PCI ids; for Mesa, Khronos's vendor id). */
const vendors: Readonly<Record<string, string>> = {
  "4098": "AMD",
  "4203": "Apple",
  "4318": "NVIDIA",
  "5045": "ARM",
  "20803": "Qualcomm",
  "32902": "Intel",
  "65541": "Mesa",
};

function vendorName(vendor: string): string {
  return vendors[vendor] ?? vendor;
}

const wantedLimits = new Set([
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxUniformBufferBindingSize",
]);

/** Requests subgroups too: the adapter does not list the feature but may grant it. */
async function requestDevice(
  adapter: GPUAdapter,
  requiredLimits: Record<string, number>,
  features: string[],
): Promise<{ device: GPUDevice; subgroups: boolean }> {
  try {
    const device = await adapter.requestDevice({
      requiredLimits,
      requiredFeatures: [...features, "subgroups"] as GPUFeatureName[],
    });
    return { device, subgroups: true };
  } catch {
    const device = await adapter.requestDevice({
      requiredLimits,
      requiredFeatures: features as GPUFeatureName[],
    });
    return { device, subgroups: false };
  }
}

/**
 * Every adapter except OpenGL's has at least one of these features. WebGPU does not report the
 * underlying API by name.
 */
const glSigns = ["shader-f16", "bgra8unorm-storage", "rg11b10ufloat-renderable"];

/** Returns the host. Bundles for browsers do not contain Deno's. */
async function currentHost(): Promise<Host> {
  if (!("Deno" in globalThis)) return otherHost;
  return (await import("./deno_host.ts")).denoHost;
}

/** Formats a number of bytes in MiB. */
function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
