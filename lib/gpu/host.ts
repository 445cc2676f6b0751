/**
 * Access to the runtime and the operating system when a GPU is opened. `deno_host.ts` implements it
 * for Deno.
 *
 * @module
 */

/** The threads on which a software GPU computes. */
export interface ComputeThreads {
  /** Adapts where they run to the load of other programs. Called at every submission. */
  adjust(): void;
}

/** The runtime and the system on which the program runs. */
export interface Host {
  /** What to do if there is no usable adapter, in sentences. */
  readonly advice: string;
  /** Sets the environment variables that drivers read when the first adapter is requested. */
  prepare(): void;
  /**
   * Returns the version of the driver, for example `Mesa 22.3.6`; null if unknown.
   *
   * @param driver The adapter's driver, or the name of its vendor.
   */
  driverVersion(driver: string): string | null;
  /** Returns the vector features of the processor, separated by spaces; null if unknown. */
  processorFeatures(): string | null;
  /**
   * Returns the threads of the software GPU that was opened last; null if they stay as they are.
   */
  computeThreads(): ComputeThreads | null;
}

/** A browser or Node. Nothing is read or set. */
export const otherHost: Host = {
  advice: "Use a recent version of a browser with WebGPU (Chrome, Edge, Firefox or Safari) on a " +
    "computer with a graphics driver. The address of the page must begin with https: or be local.",
  prepare() {},
  driverVersion: () => null,
  processorFeatures: () => null,
  computeThreads: () => null,
};
