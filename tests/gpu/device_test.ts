import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Gpu, GpuLostError } from "../../lib/gpu/device.ts";

async function withGpu(body: (gpu: Gpu) => Promise<void>): Promise<void> {
  const gpu = await Gpu.open();
  try {
    await body(gpu);
  } finally {
    gpu.close();
  }
}

Deno.test("Gpu.read() reports a device that is lost while it waits", () =>
  withGpu(async (gpu) => {
    const buffer = gpu.buffer("numbers", 16);
    assertEquals((await gpu.read(buffer, 0, 16)).byteLength, 16);
    assertEquals(await gpu.lost(), null);
    const reading = gpu.read(buffer, 0, 16);
    gpu.device.destroy();
    await assertRejects(() => reading, GpuLostError, "the GPU device was lost (destroyed)");
    assertEquals(await gpu.lost() instanceof GpuLostError, true);
    assertThrows(() => gpu.check(), GpuLostError);
  }));

Deno.test("Gpu.read() reports a readback that never arrives", () =>
  withGpu(async (gpu) => {
    const { mapAsync } = GPUBuffer.prototype;
    GPUBuffer.prototype.mapAsync = () => new Promise(() => {});
    gpu.readbackMilliseconds = 20;
    try {
      const buffer = gpu.buffer("numbers", 16);
      await assertRejects(
        () => gpu.read(buffer, 0, 16),
        GpuLostError,
        "the GPU did not answer for 0.02 s",
      );
    } finally {
      GPUBuffer.prototype.mapAsync = mapAsync;
    }
  }));

Deno.test("Gpu.check() tells a GPU without memory from a bug", () =>
  withGpu(async (gpu) => {
    const error = new GPUOutOfMemoryError("no memory");
    gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    assertThrows(() => gpu.check(), GpuLostError, "the GPU is out of memory (no memory); close");
    assertEquals(await gpu.lost() instanceof GpuLostError, true);
  }));

Deno.test("Gpu.lost() does not count other errors", () =>
  withGpu(async (gpu) => {
    const error = new GPUValidationError("a bug");
    gpu.device.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error }));
    assertThrows(() => gpu.check(), Error, "the GPU reported an error: a bug");
    assertEquals(await gpu.lost(), null);
  }));
