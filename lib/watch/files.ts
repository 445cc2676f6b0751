/** Names of the files beside the page of `watch`. */
export const fileNames = {
  content: "policies.json",
  weights: "weights.bin",
  simulator: "mujoco.wasm.gz",
  script: "watch.js",
} as const;
