/**
 * Minibatches: fields of transitions, gathered from a data set on the GPU.
 *
 * @module
 */
import minibatchSource from "../../../shaders/minibatch.wgsl" with { type: "text" };
import randomSource from "../../../shaders/random.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { randomWords } from "../random.ts";
import { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";

const minibatchName = registerOperation("minibatch");

/** The place of a field in a record. */
export interface RecordField {
  /** Index of its first vec4. */
  readonly start: number;
  /** Number of entries. */
  readonly columns: number;
  /** Index within the vec4, for a field of one entry that shares its vec4. */
  readonly component?: number;
}

/** A data set on the GPU: whole records in pages, each of which fits in one binding. */
export interface Records {
  /** At most four buffers of records, in order. */
  readonly pages: readonly GPUBuffer[];
  /** Records per page; the last page may have fewer. */
  readonly pageRows: number;
  /** Size of a record in vec4s. */
  readonly recordWidth: number;
  /** Indices of the rows whose successor is the following row, as u32. */
  readonly transitions: GPUBuffer;
  /** Number of transitions. */
  readonly transitionCount: number;
}

/** The rows of a minibatch and their order. */
export interface BatchOrder {
  /** Rows per minibatch. */
  readonly rows: number;
  /** Random stream of the order. */
  readonly stream: number;
}

/**
 * Gathers one field of the step's minibatch: `[R, rows, columns]`. With `next`, it is taken from
 * the following row. All fields with the same order belong to the same transitions. For a field
 * without columns nothing is gathered.
 */
export function minibatch(
  graph: Graph,
  records: Records,
  order: BatchOrder,
  field: RecordField,
  next = false,
): Tensor {
  const count = records.transitionCount;
  if (count < order.rows) {
    throw new Error(`minibatch: needs at least ${order.rows} transitions, got ${count}`);
  }
  const pages = records.pages.length;
  if ((graph.shared.transitions ?? records.transitions) !== records.transitions) {
    throw new Error("minibatch: a graph can only draw from one data set, got a second one");
  }
  graph.shared.transitions = records.transitions;
  records.pages.forEach((page, i) => graph.shared[`page${i}`] = page);
  const y = new Tensor({ replicas: graph.replicas, rows: order.rows, columns: field.columns });
  if (field.columns === 0) return y;
  graph.record({
    name: minibatchName,
    inputs: [],
    reads: [],
    writes: [y],
    kernel: () => ({
      name: "minibatch",
      source: randomSource + stepSource + minibatchSource,
      directives: pages > 1 ? [`PAGES${pages}`] : [],
    }),
    jobs: () =>
      elementwiseJobs(y, (job) => ({
        transitions: count,
        half_bits: Math.max(1, Math.ceil(Math.log2(count) / 2)),
        steps_per_epoch: Math.floor(count / order.rows),
        page_rows: records.pageRows,
        record_width: records.recordWidth,
        field: field.start,
        component: field.component ?? 4,
        next: next ? 1 : 0,
        seed: graph.seed(job, y.replicas),
        stream: order.stream,
      })),
  });
  return y;
}

/**
 * Returns the transition of row `index` of an epoch: an entry of the keyed permutation that the
 * kernel computes.
 */
export function minibatchReference(
  seed: number,
  stream: number,
  epoch: number,
  count: number,
  index: number,
): number {
  const key = randomWords(seed, stream, epoch, 0);
  const bits = Math.max(1, Math.ceil(Math.log2(count) / 2));
  const mask = 2 ** bits - 1;
  const scramble = (word: number) => {
    let x = word;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return (x ^ (x >>> 16)) >>> 0;
  };
  let x = index;
  do {
    let [left, right] = [x >>> bits, x & mask];
    for (const word of key) {
      [left, right] = [right, left ^ (scramble((right ^ word) >>> 0) & mask)];
    }
    x = ((left << bits) | right) >>> 0;
  } while (x >= count);
  return x;
}
