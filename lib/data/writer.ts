/**
 * Writes data sets in D4RL's layout.
 *
 * @module
 */
import h5, { type File } from "h5wasm";
import { replaceFile } from "../files.ts";

/** What a file of D4RL's layout holds; every array has N rows, row-major. */
export interface DatasetContents {
  /** Entries of an observation. */
  readonly observationSize: number;
  /** Entries of an action. */
  readonly actionSize: number;
  /** `[N, observationSize]`. */
  readonly observations: Float32Array;
  /** `[N, actionSize]`. */
  readonly actions: Float32Array;
  /** `[N]`. */
  readonly rewards: Float32Array;
  /** `[N]`, 0 or 1. */
  readonly terminals: ArrayLike<number>;
  /** `[N]`, 0 or 1. */
  readonly timeouts: ArrayLike<number>;
  /** `[N, observationSize]`: what each step led to, also where the following row does not say it. */
  readonly nextObservations?: Float32Array;
  /** Under `infos/`, for example `qpos` and `qvel`: the state before each step. */
  readonly infos?: Readonly<Record<string, Float32Array | Float64Array>>;
  /** Under `metadata/`: how the data were made. */
  readonly metadata?: Readonly<Record<string, string | number>>;
}

/** Bytes of a compressed block. */
const chunkBytes = 1 << 18;

/**
 * Writes `contents` to `path`, compressed with gzip; the file is whole or not there. Flags are uint8,
 * which every reader of D4RL's files takes for bools.
 *
 * @throws UserError when the folder does not exist or may not be written to.
 * @throws Error when an array's length does not fit, which is a bug of the caller.
 */
export async function writeDataset(path: string, contents: DatasetContents): Promise<void> {
  const module = await h5.ready;
  module.activate_throwing_error_handler();
  await replaceFile(path, async (temporary) => {
    // HDF5 has no error of its own for a folder that is missing or may not be written to.
    (await Deno.create(temporary)).close();
    const file = new h5.File(temporary, "w");
    try {
      writeFields(file, contents);
    } finally {
      file.close();
    }
  });
}

function writeFields(file: File, contents: DatasetContents): void {
  const { observationSize, actionSize, observations, actions, rewards } = contents;
  const rows = rewards.length;
  const write = (group: File | ReturnType<File["create_group"]>, name: string, data: Column) => {
    const columns = data.values.length / rows;
    if (data.columns !== undefined && data.columns !== columns) {
      throw new Error(`writeDataset: ${name} has ${columns} entries a row, not ${data.columns}`);
    }
    const shape = data.columns === 1 ? [rows] : [rows, columns];
    const chunkRows = Math.ceil(chunkBytes / (columns * data.values.BYTES_PER_ELEMENT));
    const chunks = [Math.min(rows, chunkRows), ...shape.slice(1)];
    group.create_dataset({ name, data: data.values, shape, chunks, compression: "gzip" });
  };
  write(file, "observations", { values: observations, columns: observationSize });
  write(file, "actions", { values: actions, columns: actionSize });
  write(file, "rewards", { values: rewards, columns: 1 });
  write(file, "terminals", { values: Uint8Array.from(contents.terminals), columns: 1 });
  write(file, "timeouts", { values: Uint8Array.from(contents.timeouts), columns: 1 });
  if (contents.nextObservations !== undefined) {
    const values = contents.nextObservations;
    write(file, "next_observations", { values, columns: observationSize });
  }
  if (contents.infos !== undefined) {
    const group = file.create_group("infos");
    for (const [name, values] of Object.entries(contents.infos)) write(group, name, { values });
  }
  if (contents.metadata !== undefined) {
    const group = file.create_group("metadata");
    for (const [name, data] of Object.entries(contents.metadata)) {
      group.create_dataset({ name, data });
    }
  }
}

/** Values and the entries of a row, where they are known beforehand. */
interface Column {
  readonly values: Float32Array | Float64Array | Uint8Array;
  readonly columns?: number;
}
