/**
 * The GPU: one adapter, one device with every limit the adapter grants, and the two ways it can fail
 * at any time (an uncaptured error, a lost device) turned into an error the next await throws.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { keepThreadsApart } from "./software_threads.ts";

/** What computes a run; printed by every run and recorded in its configuration. */
export interface AdapterDescription {
  /** Name of the adapter, for example `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  readonly name: string;
  /** Vendor and driver as the adapter tells them. */
  readonly driver: string;
  /** Whether a processor plays the GPU. */
  readonly software: boolean;
  /** Whether subgroup shuffles were asked for and granted. */
  readonly subgroups: boolean;
}

/** An adapter as a command shows it to people. */
export function adapterText({ name, driver, software }: AdapterDescription): string {
  return `${name}${software ? ", a software GPU" : ""} (driver ${driver})`;
}

const installHint = "Install a Vulkan driver: `sh setup.sh` does it on Debian and Ubuntu " +
  "(mesa-vulkan-drivers, a software GPU); elsewhere install your graphics card's driver.";

/** An open WebGPU device. */
export class Gpu {
  /** The WebGPU device. */
  readonly device: GPUDevice;
  /** What computes. */
  readonly adapter: AdapterDescription;
  /** The limits that were granted. */
  readonly limits: GPUSupportedLimits;
  #failure: Error | null = null;
  #closed = false;

  private constructor(device: GPUDevice, adapter: AdapterDescription) {
    this.device = device;
    this.adapter = adapter;
    this.limits = device.limits;
    // Without a listener a broken shader prints nothing and the process exits 0.
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#failure ??= new Error(
        `the GPU reported an error: ${(event as GPUUncapturedErrorEvent).error.message}`,
      );
    });
    device.lost.then((info) => {
      if (!this.#closed) {
        this.#failure ??= new UserError(
          `the GPU device was lost (${info.reason || "unknown reason"}): ${info.message}`,
        );
      }
    });
  }

  /**
   * Opens the adapter WebGPU prefers (`DENO_WEBGPU_BACKEND` chooses the API).
   *
   * @throws {UserError} When there is no adapter, or only the GL fallback, which computes in a
   * lower precision and is never taken silently.
   */
  static async open(): Promise<Gpu> {
    prepareEnvironment();
    const adapter = await globalThis.navigator?.gpu?.requestAdapter({
      powerPreference: "high-performance",
    });
    if (!adapter) throw new UserError(`no WebGPU adapter was found. ${installHint}`);
    const name = adapter.info.description || adapter.info.device || "unnamed adapter";
    if (glSigns.every((feature) => !adapter.features.has(feature as GPUFeatureName))) {
      throw new UserError(
        `only WebGPU's OpenGL fallback was found (${name}), which this program does not use. ` +
          installHint,
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
    if (software) keepThreadsApart();
    return new Gpu(device, {
      name,
      driver: [vendorName(adapter.info.vendor), adapter.info.architecture].filter(Boolean).join(
        " ",
      ),
      software,
      subgroups,
    });
  }

  /** Throws what the GPU reported since the device was opened, if anything. */
  check(): void {
    if (this.#failure) throw this.#failure;
  }

  /** A storage buffer, zero-filled. Sizes are in bytes and rounded up to whole vec4s. */
  buffer(label: string, size: number, usage = 0): GPUBuffer {
    if (size > this.limits.maxStorageBufferBindingSize || size > this.limits.maxBufferSize) {
      const limit = Math.min(this.limits.maxStorageBufferBindingSize, this.limits.maxBufferSize);
      throw new UserError(
        `${label} needs ${mebibytes(size)} of GPU memory in one buffer, and ${this.adapter.name} ` +
          `binds at most ${mebibytes(limit)}. Use a smaller batch or narrower networks.`,
      );
    }
    return this.device.createBuffer({
      label,
      size: Math.max(16, Math.ceil(size / 16) * 16),
      usage: usage | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  /** Reads `size` bytes of `source` back. Waits for the queue: never call it per step. */
  async read(source: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const staging = this.device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await this.map(staging, size);
    const bytes = staging.getMappedRange().slice(0);
    staging.destroy();
    this.check();
    return bytes;
  }

  /** Writes floats into a buffer, `offset` floats from its start. */
  writeFloats(target: GPUBuffer, offset: number, values: Float32Array): void {
    // A part of a concatenation may have no columns; Deno crashes on an empty write.
    if (values.length === 0) return;
    this.device.queue.writeBuffer(target, offset * 4, values as Float32Array<ArrayBuffer>);
  }

  /** Reads `length` floats of a buffer. Waits for the queue. */
  async readFloats(source: GPUBuffer, offset: number, length: number): Promise<Float32Array> {
    if (length === 0) return new Float32Array();
    return new Float32Array(await this.read(source, offset * 4, length * 4));
  }

  /**
   * Waits for the queue and maps the first `size` bytes of a staging buffer.
   *
   * @throws What the GPU reported, where the buffer cannot be mapped because of it.
   */
  async map(staging: GPUBuffer, size: number): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ, 0, size);
    } catch (error) {
      // The mapping's own message says nothing; what went wrong is reported an event later.
      await new Promise((resolve) => setTimeout(resolve));
      this.check();
      throw error;
    }
  }

  /** Gives the device back. */
  close(): void {
    this.#closed = true;
    this.device.destroy();
  }
}

/** Vendors by the numbers that Deno gives in place of their names (PCI's, and Khronos' for Mesa). */
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

/** Subgroups are not listed among the adapter's features but may be granted when asked for. */
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

/** Features that every adapter but OpenGL's has at least one of; nothing tells the API by name. */
const glSigns = ["shader-f16", "bgra8unorm-storage", "rg11b10ufloat-renderable"];

/**
 * Sets what the drivers read from the environment, in Deno and where that is allowed: no OpenGL, and
 * any directory in place of XDG_RUNTIME_DIR, about whose absence Mesa prints a warning.
 */
function prepareEnvironment(): void {
  if (!("Deno" in globalThis)) return;
  const defaults = { DENO_WEBGPU_BACKEND: "vulkan,metal,dx12", XDG_RUNTIME_DIR: "/tmp" };
  for (const [variable, value] of Object.entries(defaults)) {
    const { state } = Deno.permissions.querySync({ name: "env", variable });
    if (state === "granted" && !Deno.env.get(variable)) Deno.env.set(variable, value);
  }
}

/** Bytes as a person reads them. */
function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
