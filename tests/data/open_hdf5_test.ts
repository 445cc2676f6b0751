/**
 * Files that refer to others or claim sizes that they cannot hold, made with h5py 3.16. `rewards` of
 * the first four lies elsewhere, in `other.hdf5` or `raw.bin` beside the file.
 */
import { assertRejects } from "@std/assert";
import { loadDataset } from "../../lib/data/dataset.ts";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile } from "./files.ts";

const cases: [name: string, message: string][] = [
  ["external-link", "rewards is a link to other.hdf5; links are not followed"],
  ["soft-link", "rewards is a link to /r; links are not followed"],
  ["virtual", "rewards is a virtual data set of other.hdf5; other files are not read"],
  ["external-storage", "rewards from row 0 to 3 cannot be read: Unable to open file"],
  ["cycle", "groups are nested too deeply"],
  ["huge", "would have 40000000000 bytes (shape [10000000000,1], in chunks of [1024,1]), more"],
];

for (const [name, message] of cases) {
  Deno.test({
    name: `loadDataset() refuses ${name}.hdf5`,
    ignore: !mayUseFiles,
    fn: async () => {
      const folder = projectFile("tests/fixtures/datasets-linked");
      const before = Deno.cwd();
      Deno.chdir(folder); // Names of other files are relative to the file or to this folder.
      try {
        await assertRejects(() => loadDataset([`${folder}/${name}.hdf5`]), UserError, message);
      } finally {
        Deno.chdir(before);
      }
    },
  });
}
