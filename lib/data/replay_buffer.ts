/**
 * The replay buffer: a data set that is uploaded to the GPU once, and minibatches drawn from it.
 *
 * A record is one row of the data set, [state | action | reward, terminal, 0, 0], with each part
 * padded to whole vec4s. The next state is read from the following record, so no state is stored
 * twice. Records are stored in pages no larger than the adapter's largest binding.
 *
 * @module
 */
import type { Graph } from "../autodiff/graph.ts";
import {
  type BatchOrder,
  minibatch,
  type RecordField,
  type Records,
} from "../autodiff/ops/minibatch.ts";
import { padded, type Tensor } from "../autodiff/tensor.ts";
import { UserError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { OfflineDataset } from "./dataset.ts";
import { type ColumnMoments, observationMoments } from "./moments.ts";

/** Maximum number of pages, which the minibatch kernel binds. */
const maxPages = 4;
/** Bytes to pack and upload at a time. */
const uploadBytes = 16 * 2 ** 20;

/** The fields of a data set that the buffer uses. */
export type BufferedData = Pick<
  OfflineDataset,
  | "rows"
  | "observationSize"
  | "actionSize"
  | "observations"
  | "actions"
  | "terminals"
  | "transitions"
>;

/** A data set on the GPU. */
export class ReplayBuffer {
  /** The rows on the GPU. */
  readonly records: Records;
  /** Number of entries in an observation. */
  readonly observationSize: number;
  /** Number of entries in an action. */
  readonly actionSize: number;
  /** Largest magnitude of the rewards. */
  readonly largestReward: number;
  readonly #data: BufferedData;
  #moments: ColumnMoments | null = null;

  /**
   * Uploads a data set.
   *
   * @param gpu The GPU. Null makes an outline: steps can be described with it, to estimate them
   * before a GPU is opened, but not compiled.
   * @param rewards The rewards to train on, `[N]`.
   * @param pageBytes Maximum bytes per page. Defaults to the adapter's largest binding.
   */
  constructor(
    gpu: Gpu | null,
    data: BufferedData,
    rewards: Float32Array,
    pageBytes: number = gpu
      ? Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize)
      : 0,
  ) {
    this.observationSize = data.observationSize;
    this.actionSize = data.actionSize;
    this.largestReward = rewards.reduce((largest, r) => Math.max(largest, Math.abs(r)), 0);
    this.#data = data;
    const { outcome, width } = this.#layout();
    const recordWidth = width / 4;
    const transitionCount = data.transitions.length;
    if (gpu === null) {
      const transitions = {} as GPUBuffer;
      this.records = { pages: [], pageRows: data.rows, recordWidth, transitions, transitionCount };
      return;
    }
    const pageRows = Math.min(data.rows, Math.floor(pageBytes / (4 * width)));
    const pageCount = Math.ceil(data.rows / pageRows);
    if (pageCount > maxPages) {
      throw new UserError(
        `the data set needs ${pageCount} buffers of ${Math.floor(pageBytes / 2 ** 20)} MiB on ` +
          `${gpu.adapter.name}, but at most ${maxPages} are supported; train on fewer rows or on ` +
          "a GPU with larger buffers",
      );
    }
    const allocated: GPUBuffer[] = [];
    const allocate = (name: string, bytes: number) => {
      try {
        const buffer = gpu.buffer(name, bytes);
        allocated.push(buffer);
        return buffer;
      } catch (error) {
        for (const buffer of allocated) buffer.destroy();
        throw error;
      }
    };
    const pages = Array.from({ length: pageCount }, (_, page) => {
      const first = page * pageRows;
      const rows = Math.min(pageRows, data.rows - first);
      const buffer = allocate(`data set, page ${page}`, rows * width * 4);
      const batch = Math.max(1, Math.floor(uploadBytes / (4 * width)));
      for (let start = 0; start < rows; start += batch) {
        const count = Math.min(batch, rows - start);
        const floats = new Float32Array(count * width);
        for (let i = 0; i < count; i++) {
          const row = first + start + i;
          const { observationSize: s, actionSize: a } = data;
          floats.set(data.observations.subarray(row * s, (row + 1) * s), i * width);
          floats.set(data.actions.subarray(row * a, (row + 1) * a), i * width + padded(s));
          floats[i * width + outcome] = rewards[row]!;
          floats[i * width + outcome + 1] = data.terminals[row]!;
        }
        gpu.device.queue.writeBuffer(buffer, start * width * 4, floats);
      }
      return buffer;
    });
    const transitions = allocate("transitions", data.transitions.byteLength);
    gpu.device.queue.writeBuffer(transitions, 0, data.transitions as Uint32Array<ArrayBuffer>);
    this.records = { pages, pageRows, recordWidth, transitions, transitionCount };
  }

  /** Bytes of GPU memory. */
  get bytes(): number {
    const { pages, transitions } = this.records;
    return pages.reduce((total, page) => total + page.size, transitions.size);
  }

  /** Returns the moments of the observations of all transitions. */
  observationMoments(): ColumnMoments {
    return this.#moments ??= observationMoments(this.#data);
  }

  /**
   * Returns the fields of the minibatches in one order. Each call of a field records an operation.
   */
  minibatch(graph: Graph, order: BatchOrder): Minibatch {
    const { outcome } = this.#layout();
    const fields = {
      state: { start: 0, columns: this.observationSize },
      action: { start: padded(this.observationSize) / 4, columns: this.actionSize },
      reward: { start: outcome / 4, columns: 1, component: 0 },
      terminal: { start: outcome / 4, columns: 1, component: 1 },
    };
    const draw = (field: RecordField, next = false) =>
      minibatch(graph, this.records, order, field, next);
    return {
      state: () => draw(fields.state),
      action: () => draw(fields.action),
      reward: () => draw(fields.reward),
      terminal: () => draw(fields.terminal),
      nextState: () => draw(fields.state, true),
    };
  }

  /** Frees the GPU memory. */
  destroy(): void {
    for (const buffer of [...this.records.pages, this.records.transitions]) buffer.destroy();
  }

  /** Returns the offset of reward and terminal in a record, and the record's width, in floats. */
  #layout(): { outcome: number; width: number } {
    const outcome = padded(this.observationSize) + padded(this.actionSize);
    return { outcome, width: outcome + 4 };
  }
}

/** The fields of a minibatch, each `[R, rows, ·]`. */
export interface Minibatch {
  /** s */
  readonly state: () => Tensor;
  /** a */
  readonly action: () => Tensor;
  /** r */
  readonly reward: () => Tensor;
  /** 1 where the step led to a terminal state. */
  readonly terminal: () => Tensor;
  /** s' */
  readonly nextState: () => Tensor;
}
