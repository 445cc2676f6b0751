/**
 * What the program around the GPU can see and set beside WebGPU. Deno's part is in `deno_host.ts`.
 *
 * @module
 */

/** The threads on which a software GPU computes. */
export interface ComputeThreads {
  /** Adapts where they run to what else runs. Called at every submission. */
  adjust(): void;
}

/** The program's surroundings. */
export interface Host {
  /** What to do if there is no usable adapter, in sentences. */
  readonly advice: string;
  /** Sets what drivers read when the first adapter is requested. */
  prepare(): void;
  /**
   * Returns the version of the driver, for example `Mesa 22.3.6`; null if unknown.
   *
   * @param software Whether the adapter is a software GPU.
   */
  driverVersion(software: boolean): string | null;
  /** Returns the vector features of the processor, separated by spaces; null if unknown. */
  processorFeatures(): string | null;
  /** Returns the threads of the software GPU that was opened last; null if they stay as they are. */
  computeThreads(): ComputeThreads | null;
}

/** A browser, or Node: nothing can be seen or set. */
export const otherHost: Host = {
  advice: "Use a browser with WebGPU (Chrome, Edge, Firefox or Safari, in a new version) on a " +
    "computer with a graphics driver. The address of the page must begin with https: or be local.",
  prepare() {},
  driverVersion: () => null,
  processorFeatures: () => null,
  computeThreads: () => null,
};
