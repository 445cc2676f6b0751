/**
 * Deno's part of the host: environment variables, `/proc`, and threads by FFI.
 *
 * @module
 */
import { driverVersion } from "./driver_version.ts";
import type { Host } from "./host.ts";
import { processorFeatures } from "./processor_features.ts";
import { SoftwareThreads } from "./software_threads.ts";

/** Deno as the host. What its permissions or the system do not allow is left out. */
export const denoHost: Host = {
  advice: "Install a Vulkan driver: `sh setup.sh` does it on Debian and Ubuntu " +
    "(mesa-vulkan-drivers, a software GPU); elsewhere install your graphics card's driver.",
  prepare() {
    // They exclude OpenGL, and set XDG_RUNTIME_DIR, because Mesa prints a warning if it is missing.
    const defaults = { DENO_WEBGPU_BACKEND: "vulkan,metal,dx12", XDG_RUNTIME_DIR: "/tmp" };
    for (const [variable, value] of Object.entries(defaults)) {
      const { state } = Deno.permissions.querySync({ name: "env", variable });
      if (state === "granted" && !Deno.env.get(variable)) Deno.env.set(variable, value);
    }
  },
  driverVersion,
  processorFeatures,
  computeThreads: () => SoftwareThreads.ofNewestDevice(),
};
