import { assert, assertEquals, assertRejects } from "@std/assert";
import type { FieldLayout } from "../../lib/data/layout.ts";
import { UserError } from "../../lib/errors.ts";
import type { OfflineDataset } from "../../lib/data/dataset.ts";
import { mayUseFiles, projectFile, tinyContents, withFolder } from "./files.ts";

const ignore = !mayUseFiles;
const mixed = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");
const columns = projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5");

/** Imported inside tests, because importing the HDF5 reader needs permissions. */
const dataModule = () => import("../../lib/data/dataset.ts");

Deno.test({
  name: "readDataset() reads h5py's bools, (N,) and (N,1), chunks of columns",
  ignore,
  async fn() {
    const { readDataset } = await dataModule();
    const [a, b] = [await readDataset([mixed]), await readDataset([columns])];
    assertEquals([a.rows, a.observationSize, a.actionSize], [20000, 11, 3]);
    assertEquals([b.rows, b.observationSize, b.actionSize], [2000, 11, 3]);
    // The second file has the first 2000 rows of the first, stored differently.
    assertEquals(a.observations.subarray(0, 2000 * 11), b.observations);
    assertEquals(a.actions.subarray(0, 2000 * 3), b.actions);
    assertEquals(a.rewards.subarray(0, 2000), b.rewards);
    assertEquals(a.terminals.subarray(0, 2000), b.terminals);
    assertEquals(a.observations[0], Math.fround(1.2478374242782593));
    const count = (flags: Float32Array) => flags.reduce((sum, flag) => sum + flag, 0);
    assertEquals([count(a.terminals), count(a.timeouts)], [108, 8]);
  },
});

Deno.test({
  name: "readDataset() reads flags of any type and float64 as float32",
  ignore,
  async fn() {
    const { default: h5 } = await import("h5wasm");
    await h5.ready;
    const { readDataset } = await dataModule();
    await withFolder(async (folder) => {
      const flags = {
        uint8: Uint8Array.of(0, 1, 0),
        int32: Int32Array.of(0, 1, 0),
        int64: BigInt64Array.of(0n, 1n, 0n),
        float64: Float64Array.of(0, 1, 0),
      };
      for (const [type, terminals] of Object.entries(flags)) {
        const path = `${folder}/${type}.hdf5`;
        const file = new h5.File(path, "w");
        const observations = Float64Array.of(0.1, 0.2, 0.3);
        file.create_dataset({ name: "observations", data: observations, shape: [3, 1] });
        file.create_dataset({ name: "actions", data: Float32Array.of(0, 1, -1), shape: [3, 1] });
        file.create_dataset({ name: "rewards", data: Int32Array.of(1, 2, 3), shape: [3, 1] });
        file.create_dataset({ name: "terminals", data: terminals, shape: [3] });
        file.close();
        const dataset = await readDataset([path]);
        assertEquals(dataset.terminals, Float32Array.of(0, 1, 0), type);
        assertEquals(dataset.observations, Float32Array.of(0.1, 0.2, 0.3), type);
        assertEquals(dataset.rewards, Float32Array.of(1, 2, 3), type);
      }
    });
  },
});

const refusals: Record<string, string[]> = {
  "truncated": ["truncated: it has only 42841 of 71402 bytes"],
  "wrong-dtype": ["actions should be numbers", "string"],
  "missing-key": ['no field "actions"'],
  "nan-rewards": ["rewards is NaN at row 3", "(4 rows like this)"],
  "mismatched-lengths": ["rewards has 599 rows, terminals has 598 rows, but observations has 600"],
  "empty": ["observations has shape [0,11]: no rows"],
  "not-hdf5": ["not an HDF5 file"],
  "actions-out-of-range": ["actions is ", " at row 0, column 2, expected within [-1, 1]"],
};
for (const [name, messages] of Object.entries(refusals)) {
  Deno.test({
    name: `loadDataset() rejects ${name}.hdf5, naming file, field and row or shape`,
    ignore,
    async fn() {
      const { loadDataset } = await dataModule();
      const path = projectFile(`tests/fixtures/datasets-bad/${name}.hdf5`);
      for (const message of [path, ...messages]) {
        await assertRejects(() => loadDataset([path]), UserError, message);
      }
    },
  });
}

Deno.test({
  name: "loadDataset() rejects a missing file, a folder, and files of different sizes",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    await assertRejects(() => loadDataset(["nowhere.hdf5"]), UserError, "nowhere.hdf5: no such");
    await assertRejects(() => loadDataset(["tests"]), UserError, "found a folder");
    const maze = projectFile("data/maze2d-umaze-100k.hdf5");
    await assertRejects(() => loadDataset([mixed, maze]), UserError, `${maze}: observations of 4`);
  },
});

Deno.test({
  name: "readDataset() names field and rows of a damaged compressed block",
  ignore,
  async fn() {
    const { readDataset } = await dataModule();
    await withFolder(async (folder) => {
      const bytes = await Deno.readFile(mixed);
      // Zero the middle of the file, which holds blocks of observations.
      bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 50_000);
      const path = `${folder}/damaged.hdf5`;
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(
        () => readDataset([path]),
        UserError,
        "cannot be read: ",
      );
      assertEquals(error.message.startsWith(`${path}: `), true);
    });
  },
});

Deno.test({
  name: "writeDataset() writes a file that reads back as the same transitions",
  ignore,
  async fn() {
    const { readDataset } = await dataModule();
    const { datasetHash } = await import("../../lib/data/hash.ts");
    const { D4rlFile } = await import("../../lib/data/hdf5.ts");
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      const dataset = await readDataset([mixed]);
      const { rows, observationSize, actionSize } = dataset;
      const qpos = Float64Array.from({ length: rows * 6 }, (_, i) => i / 7);
      const path = `${folder}/copy.hdf5`;
      const nextObservations = new Float32Array(rows * observationSize);
      nextObservations.set(dataset.observations.subarray(observationSize));
      await writeDataset(path, {
        ...dataset,
        nextObservations,
        infos: { qpos },
        metadata: { task: "hopper", noise: 0.5, seed: 3n },
      });
      const copy = await readDataset([path]);
      const { sources: _a, ...expected } = dataset;
      const { sources: _b, ...actual } = copy;
      assertEquals(actual, expected);
      assertEquals(datasetHash(copy), datasetHash(dataset));

      const file = await D4rlFile.open(path);
      const read = new Float64Array(rows * 6);
      file.read("infos/qpos", read);
      assertEquals(read, qpos);
      assertEquals(file.layout("next_observations"), {
        dtype: "float32",
        shape: [rows, observationSize],
      });
      assertEquals(file.layout("terminals"), { dtype: "bool", shape: [rows] });
      assertEquals(file.layout("actions").shape, [rows, actionSize]);
      assertEquals(["task", "noise", "seed"].map((key) => file.scalar(`metadata/${key}`)), [
        "hopper",
        0.5,
        3,
      ]);
      assertEquals(file.task, "hopper");
      assertEquals(copy.sources[0]!.task, "hopper");
      file.close();
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["copy.hdf5"]);
    });
  },
});

Deno.test({
  name: "writeDataset() writes a field in parts if it is large",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { readDataset } = await dataModule();
      const { writeDataset } = await import("../../lib/data/writer.ts");
      const rows = 2_500_000; // 80 MB of observations
      const observations = Float32Array.from({ length: 8 * rows }, (_, i) => (i >> 12) % 97);
      const path = `${folder}/large.hdf5`;
      await writeDataset(path, {
        observationSize: 8,
        actionSize: 1,
        observations,
        actions: new Float32Array(rows),
        rewards: new Float32Array(rows),
        terminals: new Uint8Array(rows),
        timeouts: new Uint8Array(rows),
      });
      const read = (await readDataset([path])).observations;
      assertEquals(read.length, observations.length);
      assertEquals(read.findIndex((value, i) => value !== observations[i]), -1);
    }),
});

Deno.test({
  name: "writeDataset() writes flags as an enumeration of FALSE and TRUE over int8",
  ignore,
  async fn() {
    const { default: h5, Dataset } = await import("h5wasm");
    await h5.ready;
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      const path = `${folder}/flags.hdf5`;
      await writeDataset(path, tinyContents);
      const file = new h5.File(path, "r");
      for (const name of ["terminals", "timeouts"] as const) {
        const field = file.get(name);
        assert(field instanceof Dataset);
        const { size, signed, enum_type } = field.metadata;
        assertEquals([size, signed], [1, true]);
        assertEquals(enum_type!.members, { FALSE: 0, TRUE: 1 });
        assertEquals(field.to_array(), tinyContents[name].map(Boolean), name);
      }
      file.close();
    });
  },
});

Deno.test({
  name: "writeDataset() writes a metadata key with one type, whatever its value",
  ignore,
  async fn() {
    const { D4rlFile } = await import("../../lib/data/hdf5.ts");
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      const types: FieldLayout[][] = [];
      const largest = BigInt(Number.MAX_SAFE_INTEGER);
      for (const metadata of [{ noise: 0, seed: 0n }, { noise: 0.5, seed: largest }]) {
        const path = `${folder}/a.hdf5`;
        await writeDataset(path, { ...tinyContents, metadata });
        const file = await D4rlFile.open(path);
        types.push(["noise", "seed"].map((key) => file.layout(`metadata/${key}`)));
        assertEquals(file.scalar("metadata/noise"), metadata.noise);
        assertEquals(file.scalar("metadata/seed"), Number(metadata.seed));
        file.close();
      }
      const [float64, int64] = [{ dtype: "float64", shape: [] }, { dtype: "int64", shape: [] }];
      assertEquals(types, [[float64, int64], [float64, int64]]);
    });
  },
});

/** Prints what h5py reads from a file: types, flags, and the rows that the flags select. */
const h5pyProgram = `
import json, sys, h5py
with h5py.File(sys.argv[1]) as file:
    flags = {name: file[name][:] for name in ("terminals", "timeouts")}
    print(json.dumps({
        "dtypes": [str(values.dtype) for values in flags.values()],
        "flags": {name: values.tolist() for name, values in flags.items()},
        "chosen": file["actions"][:][flags["timeouts"]].tolist(),
        "metadata": {key: [str(value.dtype), value[()] if value.dtype != object
            else value.asstr()[()]] for key, value in file["metadata"].items()},
    }, default=lambda value: value.item()))
`;

/** Python command, or null if Python or h5py is unavailable. */
const python = await pythonWithH5py();

async function pythonWithH5py(): Promise<string | null> {
  const mayRun = Deno.permissions.querySync({ name: "run", command: "python3" }).state;
  if (ignore || mayRun !== "granted") return null;
  const found = await new Deno.Command("python3", {
    args: ["-c", "import h5py"],
    stderr: "null",
  }).output().then(({ success }) => success, () => false);
  return found ? "python3" : null;
}

Deno.test({
  name: "writeDataset() writes flags that h5py reads as bool and that select rows" +
    (python === null ? " (skipped: no python3 with h5py)" : ""),
  ignore: python === null,
  async fn() {
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      const path = `${folder}/flags.hdf5`;
      // More rows than one compressed block of flags holds.
      const rows = 150_000;
      const flags = (period: number) =>
        Uint8Array.from({ length: rows }, (_, row) => row % period === 0 ? 1 : 0);
      await writeDataset(path, {
        observationSize: 1,
        actionSize: 1,
        observations: new Float32Array(rows),
        actions: Float32Array.from({ length: rows }, (_, row) => row),
        rewards: new Float32Array(rows),
        terminals: flags(7),
        timeouts: flags(50_000),
        metadata: { task: "hopper-medium-v2", noise: 0, seed: 5n },
      });
      const { stdout, success } = await new Deno.Command(python!, {
        args: ["-c", h5pyProgram, path],
      }).output();
      assertEquals(success, true);
      const read = JSON.parse(new TextDecoder().decode(stdout));
      assertEquals(read.dtypes, ["bool", "bool"]);
      assertEquals(read.flags.terminals, [...flags(7)].map(Boolean));
      assertEquals(read.chosen, [[0], [50_000], [100_000]]);
      assertEquals(read.metadata, {
        task: ["object", "hopper-medium-v2"],
        noise: ["float64", 0],
        seed: ["int64", 5],
      });
    });
  },
});

Deno.test({
  name: "writeDataset() rejects a missing folder and arrays of wrong lengths",
  ignore,
  async fn() {
    const { writeDataset } = await import("../../lib/data/writer.ts");
    await withFolder(async (folder) => {
      await assertRejects(
        () => writeDataset(`${folder}/no/a.hdf5`, tinyContents),
        UserError,
        `there is no folder ${folder}/no`,
      );
      await assertRejects(
        () => writeDataset(`${folder}/a.hdf5`, { ...tinyContents, actions: new Float32Array(4) }),
        Error,
        "actions has 4 entries, not 3 x 1",
      );
      await assertRejects(
        () => writeDataset(`${folder}/a.hdf5`, { ...tinyContents, timeouts: [0, 1] }),
        Error,
        "timeouts has 2 entries, not 3",
      );
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  },
});

Deno.test({
  name: "datasetHash() depends on every array but not on file names",
  ignore,
  async fn() {
    const { readDataset } = await dataModule();
    const { datasetHash } = await import("../../lib/data/hash.ts");
    const dataset = await readDataset([columns]);
    const hash = datasetHash(dataset);
    assertEquals(/^[0-9a-f]{64}$/.test(hash), true);
    assertEquals(datasetHash({ ...dataset, sources: [] }), hash);
    for (
      const name of ["observations", "actions", "rewards", "terminals", "transitions"] as const
    ) {
      const changed: OfflineDataset = { ...dataset, [name]: dataset[name].map((x) => x + 1) };
      assertEquals(datasetHash(changed) === hash, false, name);
    }
  },
});
