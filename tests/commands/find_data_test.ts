import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findData } from "../../lib/commands/find_data.ts";
import { findTask } from "../../lib/data/catalog.ts";
import { readDataset } from "../../lib/data/dataset.ts";
import { datasetHash } from "../../lib/data/hash.ts";
import { UserError } from "../../lib/errors.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const sample = fileURLToPath(
  new URL("../fixtures/datasets/hopper-mixed-20k.hdf5", import.meta.url),
);
const task = findTask("hopper-medium-v2");

Deno.test({
  name: "findData() returns the recorded file, a file in data/ with the same hash, or --data",
  ignore,
  fn: async () => {
    const { maxEpisodeSteps } = task;
    const sha256 = datasetHash(await readDataset([sample], { maxEpisodeSteps }));
    const folder = Deno.makeTempDirSync();
    const find = (file: string, given?: string, hash = sha256) =>
      findData("runs/r", { file, sha256: hash, rows: 1 }, task, given, folder);
    try {
      assertEquals(await find(sample), [sample]);
      const gone = join(folder, "gone.hdf5");
      Deno.writeTextFileSync(join(folder, "a.hdf5"), "not HDF5");
      await assertRejects(
        () => find(gone),
        UserError,
        `cannot find the data of runs/r: ${gone} does not exist, and no file in ${folder} has the hash`,
      );
      const renamed = join(folder, "b.h5");
      Deno.copyFileSync(sample, renamed);
      assertEquals(await find(gone), [renamed]);
      await assertRejects(() => find(gone, undefined, "00ff"), UserError, "--data");
      assertEquals(await find(gone, "x.hdf5"), ["x.hdf5"]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
