/** Whether tests may read and write files, as needed for HDF5 and temporary folders. */
export const mayUseFiles: boolean = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** Three steps for `writeDataset()`, with observation size 2 and action size 1. */
export const tinyContents = {
  observationSize: 2,
  actionSize: 1,
  observations: new Float32Array(6),
  actions: new Float32Array(3),
  rewards: new Float32Array(3),
  terminals: [0, 0, 1],
  timeouts: [0, 1, 0],
};

/** Returns the path of a project file, independent of the current directory. */
export function projectFile(path: string): string {
  return decodeURIComponent(new URL(`../../${path}`, import.meta.url).pathname);
}

/** Runs `body` with a temporary folder and removes it afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
