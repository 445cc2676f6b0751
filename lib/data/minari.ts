/**
 * Reads data sets of Minari (farama.org/Minari), stored as HDF5.
 *
 * A file has one group per episode, `episode_0`, `episode_1`, …, with T steps and T + 1
 * observations. `terminations` marks terminal states; `truncations` marks episodes that were cut.
 * `metadata.json` beside the file has the spaces and the environment.
 *
 * Episodes are joined by number. An episode that ends in a terminal state has T rows. Any other one
 * has a further row for its last observation, which is marked as a timeout and so is not trained
 * on: it only provides the next observation of the row before it. Its action and reward are 0.
 *
 * @module
 */
import type { Dataset, Group } from "h5wasm";
import { dirname, join } from "node:path";
import { UserError } from "../errors.ts";
import { areBounds } from "../nn/host/action_bounds.ts";
import {
  entityOf,
  episodeNames,
  type Hdf5,
  layoutOf,
  namesIn,
  openHdf5,
  readNumbers,
} from "./open_hdf5.ts";
import type { DatasetContents } from "./writer.ts";

/**
 * Reads a data set. Entries of Dict and Tuple observations are joined in the order of
 * `gymnasium.spaces.flatten`: Dict entries by name, Tuple entries by index.
 *
 * @param path The file `main_data.hdf5`.
 * @throws {UserError} If an episode lacks a field, lengths or sizes disagree, observations are
 * images or text, actions are discrete, or `metadata.json` cannot be read.
 */
export async function readMinari(path: string): Promise<DatasetContents> {
  const metadata = await readMetadata(join(dirname(path), "metadata.json"));
  const opened = await openHdf5(path);
  try {
    const episodes = episodeNames(namesIn(opened, opened.file))
      .toSorted((a, b) => numberOf(a) - numberOf(b))
      .map((name) => new Episode(path, name, opened));
    const layout = episodes[0]?.layout ?? null;
    return {
      ...joined(path, episodes),
      metadata: {
        origin: "minari",
        ...metadata,
        ...(layout !== null && { observation_fields: layout }),
      },
    };
  } finally {
    opened.file.close();
  }
}

/**
 * Returns names in the order in which gymnasium joins them: Tuples by index, Dicts by code point.
 */
function orderOf(names: readonly string[]): string[] {
  const isTuple = names.every((name) => /^_index_\d+$/.test(name));
  return names.toSorted((a, b) => isTuple ? numberOf(a) - numberOf(b) : a < b ? -1 : a > b ? 1 : 0);
}

function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf("_") + 1));
}

/** A field of one step each, possibly spread over several data sets. */
interface Part {
  /** Path within the episode, for example `observations/desired_goal`. */
  readonly name: string;
  readonly dataset: Dataset;
  /** Entries per row. */
  readonly columns: number;
}

class Episode {
  /** Number of steps, T. */
  readonly steps: number;
  readonly observations: readonly Part[];
  readonly actions: readonly Part[];
  readonly terminations: Float32Array;
  readonly #path: string;
  readonly #name: string;
  readonly #group: Group;
  readonly #rewards: readonly Part[];

  constructor(path: string, name: string, opened: Hdf5) {
    this.#path = path;
    this.#name = name;
    const group = entityOf(opened, opened.file, name);
    if (!(group instanceof opened.h5.Group)) throw this.#error("expected a group");
    this.#group = group;
    const parts = (field: string) => [...this.#parts(field, opened)];
    this.observations = parts("observations");
    this.actions = parts("actions");
    this.#rewards = parts("rewards");
    this.steps = this.#rewards[0]!.dataset.shape![0]!;
    const lengths: [readonly Part[], number][] = [
      [this.observations, this.steps + 1],
      [this.actions, this.steps],
      [[...parts("terminations"), ...parts("truncations")], this.steps],
    ];
    for (const [list, rows] of lengths) {
      for (const { name: field, dataset } of list) {
        if (dataset.shape![0] === rows) continue;
        throw this.#error(
          `${field} has ${dataset.shape![0]} rows, expected ${rows} for ${this.steps} rewards`,
        );
      }
    }
    if (this.steps === 0) throw this.#error("the episode has no step");
    this.terminations = this.read(parts("terminations"), this.steps);
  }

  /** Number of rows, including one for the last observation unless it is terminal. */
  get rows(): number {
    return this.steps + (this.terminations[this.steps - 1] === 0 ? 1 : 0);
  }

  /** Reads parts side by side: `[rows, sum of columns]`. */
  read(parts: readonly Part[], rows: number): Float32Array {
    const width = widthOf(parts);
    const values = new Float32Array(rows * width);
    let offset = 0;
    for (const { name, dataset, columns } of parts) {
      const own = new Float32Array(dataset.shape![0]! * columns);
      readNumbers(this.#path, `${this.#name}/${name}`, dataset, own);
      for (let row = 0; row < rows; row++) {
        values.set(own.subarray(row * columns, (row + 1) * columns), row * width + offset);
      }
      offset += columns;
    }
    return values;
  }

  /** Reads the rewards, one per step. */
  rewards(): Float32Array {
    return this.read(this.#rewards, this.steps);
  }

  /** Yields the data sets of a field, in the order in which they are joined. */
  *#parts(field: string, opened: Hdf5, group = this.#group, prefix = ""): Generator<Part> {
    const names = namesIn(opened, group);
    for (const key of prefix === "" ? [field] : orderOf(names)) {
      const name = prefix + key;
      const entity = names.includes(key)
        ? entityOf(opened, group, key, `${this.#name}/${prefix}`)
        : null;
      if (entity instanceof opened.h5.Group) yield* this.#parts(field, opened, entity, `${name}/`);
      else if (entity instanceof opened.h5.Dataset) yield this.#part(field, name, entity);
      else throw this.#error(`there is no field ${name}`);
    }
  }

  #part(field: string, name: string, entity: Dataset): Part {
    const { dtype, shape } = layoutOf(entity);
    const fits = {
      observations: /^(float|u?int(16|32|64)|int8|bool)/,
      actions: /^float/,
    }[field] ?? /^(float|u?int|bool)/;
    if (!fits.test(dtype)) {
      const why = field === "observations"
        ? "images and text are not supported"
        : field === "actions"
        ? "discrete actions are not supported"
        : "expected numbers";
      throw this.#error(`${name} is ${dtype}: ${why}`);
    }
    if (shape.length === 0) throw this.#error(`${name} has no rows`);
    const columns = shape.slice(1).reduce((product, size) => product * size, 1);
    if (field !== "observations" && field !== "actions" && columns !== 1) {
      throw this.#error(`${name} has shape [${shape}], expected one number per step`);
    }
    return { name, dataset: entity, columns };
  }

  #error(text: string): UserError {
    return new UserError(`${this.#path}, ${this.#name}: ${text}`);
  }

  /** Describes the observation, for example `achieved_goal 2, observation 27`; null for a Box. */
  get layout(): string | null {
    if (this.observations.length === 1 && this.observations[0]!.name === "observations") {
      return null;
    }
    return this.observations.map(({ name, columns }) =>
      `${name.slice("observations/".length)} ${columns}`
    ).join(", ");
  }

  /** Rejects an episode whose sizes differ from those of the first one. */
  checkSizes(first: Episode): void {
    for (const field of ["observations", "actions"] as const) {
      const [own, other] = [widthOf(this[field]), widthOf(first[field])];
      if (own !== other) {
        throw this.#error(`${field} has ${own} entries, but ${other} in ${first.#name}`);
      }
    }
  }
}

function widthOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { columns }) => sum + columns, 0);
}

function joined(path: string, episodes: readonly Episode[]): DatasetContents {
  const first = episodes[0];
  if (first === undefined) throw new UserError(`${path}: no episodes`);
  const observationSize = widthOf(first.observations);
  const actionSize = widthOf(first.actions);
  // The last row of a file is never trained on, so a last step needs a row after it.
  const extra = episodes.at(-1)!.terminations.at(-1) === 0 ? 0 : 1;
  const rows = episodes.reduce((sum, episode) => sum + episode.rows, extra);
  const contents = {
    observationSize,
    actionSize,
    observations: new Float32Array(rows * observationSize),
    actions: new Float32Array(rows * actionSize),
    rewards: new Float32Array(rows),
    terminals: new Uint8Array(rows),
    timeouts: new Uint8Array(rows),
  };
  let row = 0;
  episodes.forEach((episode, i) => {
    episode.checkSizes(first);
    const { steps } = episode;
    const stored = episode.rows + (i === episodes.length - 1 ? extra : 0);
    const observations = episode.read(episode.observations, stored);
    contents.observations.set(observations, row * observationSize);
    contents.actions.set(episode.read(episode.actions, steps), row * actionSize);
    contents.rewards.set(episode.rewards(), row);
    contents.terminals.set(episode.terminations.map((flag) => flag === 0 ? 0 : 1), row);
    if (episode.rows > steps) contents.timeouts[row + steps] = 1;
    row += stored;
  });
  return contents;
}

/** The parts of `metadata.json` that are kept. Empty if there is no such file. */
async function readMetadata(path: string): Promise<NonNullable<DatasetContents["metadata"]>> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw new UserError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  const found = parse(path, text);
  const space = found.action_space === undefined
    ? null
    : parse(`${path}, action_space`, String(found.action_space));
  if (space !== null && space.type !== "Box") {
    throw new UserError(
      `${path}: the action space is ${space.type}; only continuous actions (Box) are supported`,
    );
  }
  if (found.data_format !== undefined && found.data_format !== "hdf5") {
    throw new UserError(`${path}: data_format is ${found.data_format}; only hdf5 is supported`);
  }
  const bounds = { low: flat(space?.low), high: flat(space?.high) };
  const environment = typeof found.env_spec === "string"
    ? parse(`${path}, env_spec`, found.env_spec).id
    : undefined;
  return {
    ...(typeof environment === "string" && { task: environment, server: "python" }),
    ...(typeof found.dataset_id === "string" && { source: found.dataset_id }),
    ...(areBounds(bounds) && { action_low: bounds.low, action_high: bounds.high }),
  };
}

/**
 * Parses JSON as Python writes it, with bare `Infinity`, `-Infinity` and `NaN`, which become null.
 */
function parse(path: string, text: string): Record<string, unknown> {
  // Strings are matched first, so that words in them stay.
  const strict = text.replaceAll(
    /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g,
    (word) => word.startsWith('"') ? word : "null",
  );
  try {
    const value = JSON.parse(strict);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError(`${path}: expected a JSON object`);
}

/** Returns the numbers in nested lists; a null becomes NaN. */
function flat(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(flat);
  return [typeof value === "number" ? value : NaN];
}
