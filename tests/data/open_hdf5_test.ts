/**
 * Files that refer to others or claim sizes that they cannot hold, made with h5py 3.16. `rewards`
 * of the first four lies elsewhere, in `other.hdf5` or `raw.bin` beside the file.
 */
import { assertRejects } from "@std/assert";
import { loadDataset } from "../../lib/data/dataset.ts";
import { UserError } from "../../lib/errors.ts";
import { inOwnProcess } from "../support/own_process.ts";
import { mayUseFiles, projectFile } from "./files.ts";

const cases: [name: string, message: string][] = [
  ["external-link", "rewards is a link to other.hdf5; links are not followed"],
  ["soft-link", "rewards is a link to /r; links are not followed"],
  ["virtual", "rewards is a virtual data set of other.hdf5; other files are not read"],
  ["external-storage", "rewards from row 0 to 3 cannot be read: Unable to open file"],
  ["cycle", "groups are nested too deeply"],
  ["huge", "would have 40000000000 bytes (shape [10000000000,1], in chunks of [1024,1]), more"],
];

const ignore = !mayUseFiles ||
  (["run", "env"] as const).some((name) =>
    Deno.permissions.querySync({ name }).state !== "granted"
  );
const name = "loadDataset() refuses links, cycles and sizes that a file cannot hold";

Deno.test({
  name,
  ignore,
  // Names of other files are relative to the file or to the current directory, which is that of the
  // whole process.
  fn: inOwnProcess(import.meta.url, name, async () => {
    const folder = projectFile("tests/fixtures/datasets-linked");
    Deno.chdir(folder);
    for (const [file, message] of cases) {
      await assertRejects(() => loadDataset([`${folder}/${file}.hdf5`]), UserError, message);
    }
  }),
});
