/** Tests the host of HDF5 files in memory. */
import { assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { UserError } from "../../lib/errors.ts";

const sample = fileURLToPath(new URL("../../data/maze2d-umaze-100k.hdf5", import.meta.url));
const ignore = (["read", "env", "sys"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

Deno.test({
  name: "filesInMemory(): a data set is that of the file on disk, and no other file can be opened",
  ignore,
  fn: async () => {
    const { loadDataset } = await import("../../lib/data/dataset.ts");
    const { filesInMemory } = await import("../../lib/data/memory_hdf5.ts");
    const { takeFilesFrom } = await import("../../lib/data/open_hdf5.ts");
    const { denoFiles } = await import("../../lib/data/deno_hdf5.ts");
    const { sources: _, ...expected } = await loadDataset([sample]);
    takeFilesFrom(filesInMemory(new Map([["maze.hdf5", await Deno.readFile(sample)]])));
    try {
      const { sources: [source], ...found } = await loadDataset(["maze.hdf5"]);
      assertEquals(source!.path, "maze.hdf5");
      assertEquals(found, expected);
      await assertRejects(() => loadDataset([sample]), UserError, "no such file");
    } finally {
      takeFilesFrom(denoFiles);
    }
  },
});
