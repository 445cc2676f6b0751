/** Whether this run may read and write files, which reading HDF5 and temporary folders need. */
export const mayUseFiles: boolean = (["read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** Three steps for a writer of data sets: two observation entries, one action entry. */
export const tinyContents = {
  observationSize: 2,
  actionSize: 1,
  observations: new Float32Array(6),
  actions: new Float32Array(3),
  rewards: new Float32Array(3),
  terminals: [0, 0, 1],
  timeouts: [0, 1, 0],
};

/** Path of a file of the project, whatever folder the tests are run from. */
export function projectFile(path: string): string {
  return decodeURIComponent(new URL(`../../${path}`, import.meta.url).pathname);
}

/** Runs `body` with a temporary folder that is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
