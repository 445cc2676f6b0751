/**
 * The host in Deno: environment variables, `/proc`, and threads by FFI.
 *
 * @module
 */
import { driverVersion } from "./driver_version.ts";
import type { Host } from "./host.ts";
import { processorFeatures } from "./processor_features.ts";
import { SoftwareThreads } from "./software_threads.ts";

/** The host in Deno. It omits what the permissions or the system do not allow. */
export const denoHost: Host = {
  advice: "Install a Vulkan driver: `sh setup.sh` does it on Debian and Ubuntu " +
    "(mesa-vulkan-drivers, a software GPU); elsewhere install your graphics card's driver.",
  prepare() {
    // The backends exclude OpenGL. Mesa prints a warning if XDG_RUNTIME_DIR is missing.
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
