/**
 * Reads HDF5 files in D4RL's format.
 *
 * D4RL's files vary: rewards and flags are `[N]` or `[N, 1]`, flags are bool, integer or float, and
 * numbers are float32 or float64.
 *
 * @module
 */
import type { Dataset, File, Group } from "h5wasm";
import { UserError } from "../errors.ts";
import { type ActionBounds, areBounds, boundsText } from "../nn/host/action_bounds.ts";
import { checkLayout, type FieldLayout, type Layout } from "./layout.ts";
import {
  contained,
  entityOf,
  episodeNames,
  type Hdf5,
  layoutOf,
  namesIn,
  openHdf5,
  readNumbers,
} from "./open_hdf5.ts";

/** A file in D4RL's format, open for reading. */
export class D4rlFile implements Layout {
  /** Path as given. */
  readonly path: string;
  /** Number of rows, N. */
  readonly rows: number;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  readonly #file: File;
  readonly #fields: ReadonlyMap<string, Dataset>;

  private constructor(path: string, opened: Hdf5) {
    const { file } = opened;
    this.path = path;
    this.#file = file;
    if (episodeNames(namesIn(opened, file)).length > 0) {
      throw new UserError(
        `${path}: a Minari data set; convert it: data convert ${path} --out FILE.hdf5`,
      );
    }
    this.#fields = new Map(datasetsOf(opened));
    const layouts = [...this.#fields].map(([name, field]) => [name, layoutOf(field)] as const);
    const { rows, observationSize, actionSize } = checkLayout(path, new Map(layouts));
    this.rows = rows;
    this.observationSize = observationSize;
    this.actionSize = actionSize;
  }

  /**
   * Opens a file.
   *
   * @throws {UserError} If it is missing, truncated, not HDF5, or not in D4RL's format.
   */
  static async open(path: string): Promise<D4rlFile> {
    const opened = await openHdf5(path);
    try {
      return new D4rlFile(path, opened);
    } catch (error) {
      opened.file.close();
      throw error;
    }
  }

  /**
   * Returns the observation and action sizes that all `files` share.
   *
   * @throws {UserError} If a file's observations or actions differ in size from the first file's.
   */
  static sameSizes(files: readonly D4rlFile[]): { observationSize: number; actionSize: number } {
    const first = files[0];
    if (first === undefined) {
      throw new UserError("no data: give the path of at least one HDF5 file");
    }
    const { observationSize, actionSize } = first;
    for (const file of files) {
      if (file.observationSize !== observationSize || file.actionSize !== actionSize) {
        throw new UserError(
          `${file.path}: observations of ${file.observationSize} and actions of ` +
            `${file.actionSize} entries cannot be combined with ${first.path}, which has ` +
            `${observationSize} and ${actionSize}`,
        );
      }
    }
    return { observationSize, actionSize };
  }

  /** Names of the fields. Fields in groups include the path: `infos/qpos`. */
  get fields(): string[] {
    return [...this.#fields.keys()];
  }

  /** Returns whether the file has a field of this name. */
  has(field: string): boolean {
    return this.#fields.has(field);
  }

  /**
   * Returns the type and shape of a field.
   *
   * @throws {UserError} If the file has no such field.
   */
  layout(field: string): FieldLayout {
    return layoutOf(this.#field(field));
  }

  /**
   * Reads a numeric field into `into`, row-major. `into` has as many elements as the field.
   *
   * @throws {UserError} If the file has no such field or a part of it is damaged.
   */
  read(field: string, into: Float32Array | Float64Array): void {
    readNumbers(this.path, field, this.#field(field), into);
  }

  /**
   * Returns the string or number in a scalar field, such as `metadata/env`.
   *
   * @throws {UserError} If the file has no such field.
   */
  scalar(field: string): string | number {
    const value = contained(this.path, field, () => this.#field(field).value);
    if (typeof value === "bigint") return Number(value);
    return typeof value === "number" ? value : String(value);
  }

  /** The task that the file was collected for, `metadata/task`; null if there is none. */
  get task(): string | null {
    const value = this.has("metadata/task") ? this.scalar("metadata/task") : null;
    return typeof value === "string" ? value : null;
  }

  /** Where the data come from if not from D4RL's environments, `metadata/origin`; else null. */
  get origin(): string | null {
    return this.has("metadata/origin") ? String(this.scalar("metadata/origin")) : null;
  }

  /** The server of the environment, `metadata/server`; null if there is none. */
  get server(): string | null {
    return this.has("metadata/server") ? String(this.scalar("metadata/server")) : null;
  }

  /**
   * The action range, `metadata/action_low` and `metadata/action_high`; null if there is none.
   *
   * @throws {UserError} If they do not have one number per action entry, or a low is not below its
   * high.
   */
  get actionBounds(): ActionBounds | null {
    const [low, high] = ["metadata/action_low", "metadata/action_high"].map((field) => {
      if (!this.has(field)) return [];
      const shape = this.layout(field).shape;
      const values = new Float64Array(shape.length === 1 ? shape[0]! : 0);
      if (values.length > 0) this.read(field, values);
      return [...values];
    }) as [number[], number[]];
    if (low.length === 0 && high.length === 0) return null;
    const bounds = { low, high };
    if (areBounds(bounds) && low.length === this.actionSize) return bounds;
    throw new UserError(
      `${this.path}: metadata/action_low and metadata/action_high should have ${this.actionSize} ` +
        `numbers each, low below high; found ${boundsText(bounds)}`,
    );
  }

  /** Closes the file. It cannot be read afterwards. */
  close(): void {
    this.#file.close();
  }

  #field(name: string): Dataset {
    const field = this.#fields.get(name);
    if (field !== undefined) return field;
    throw new UserError(
      `${this.path}: no field "${name}"; it has ${this.fields.join(", ")}`,
    );
  }
}

/** Yields every data set of a file with its path: `observations`, `infos/qpos`. */
function* datasetsOf(
  opened: Hdf5,
  group: Group = opened.file,
  prefix = "",
): Generator<[string, Dataset]> {
  for (const name of namesIn(opened, group)) {
    const entity = entityOf(opened, group, name, prefix);
    if (entity instanceof opened.h5.Dataset) yield [prefix + name, entity];
    if (entity instanceof opened.h5.Group) yield* datasetsOf(opened, entity, `${prefix}${name}/`);
  }
}
