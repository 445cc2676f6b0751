/**
 * Checks of random operations (uniform and normal numbers, dropout masks, minibatches) against the
 * host's generator.
 *
 * @module
 */
import { fourierFeatures } from "../autodiff/ops/fourier_features.ts";
import { noising } from "../autodiff/ops/noising.ts";
import {
  type Draw,
  drawNormal,
  drawUniform,
  normalReference,
  uniformReference,
} from "../autodiff/ops/draw.ts";
import { dropout } from "../autodiff/ops/dropout.ts";
import { minibatch, minibatchReference, type RecordField } from "../autodiff/ops/minibatch.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import { normal, randomWords, uniform } from "../autodiff/random.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Case, type Check, relativeError, seedsOf } from "./check.ts";
import { map, matrix } from "../autodiff/matrix.ts";
import type { InputShape, Recorded, Session } from "./session.ts";
import type { Graph } from "../autodiff/graph.ts";
import type { Tensor } from "../autodiff/tensor.ts";

const stream = 78;
const sizes = [[1, 1], [7, 13], [33, 257]] as const;

/**
 * Returns the random words of every entry of a `[rows, columns]` tensor, without those of the
 * padding.
 */
function wordsOf(seed: number, rows: number, columns: number): number[] {
  const width = Math.ceil(columns / 4);
  return Array.from(
    { length: rows },
    (_, row) =>
      Array.from({ length: width }, (_, c) => randomWords(seed, stream, 0, row * width + c))
        .flat().slice(0, columns),
  ).flat();
}

/** Creates a case with one result, whose expected values are known for each seed. */
function drawnCase(
  shape: string,
  replicas: number,
  input: InputShape & { readonly value: number },
  record: (graph: Graph, x: Tensor) => Recorded,
  expected: (seed: number) => ArrayLike<number>,
): Case {
  return {
    shape,
    replicas,
    async measure(session) {
      const { results } = await session.compute({
        seeds: seedsOf(replicas),
        inputs: { x: input },
        values: { x: new Float32Array(replicas * input.rows * input.columns).fill(input.value) },
        wanted: [],
        upstream: (count) => new Float32Array(count),
        record: (graph, { x }) => record(graph, x),
      });
      const reference = seedsOf(replicas).flatMap((seed) => Array.from(expected(seed)));
      return relativeError(results.values().next().value!, reference);
    },
  };
}

const uniformNumbers: Check = {
  name: "fourier features, drawn times",
  limit: 1e-6,
  cases: [1, 7, 257].flatMap((rows) =>
    [1, 3].map((replicas) =>
      drawnCase(
        `${rows} rows`,
        replicas,
        { rows, columns: 1, value: 0 },
        (graph) => {
          const shapes = [{ name: "W", rows: 1, segments: [5], vector: true }];
          const W = new ParameterSet(graph, shapes, replicas).get("W");
          const times = { stream, rows, range: () => [0.25, 1.75] as const };
          return { results: { t: fourierFeatures(graph, times, W).t } };
        },
        (seed) => uniform(seed, stream, 0, rows).map((u) => 0.25 + 1.5 * u),
      )
    )
  ),
};

/** The result is the drawn noise z itself. */
const normalNumbers: Check = {
  name: "noising, drawn noise",
  limit: 1e-5,
  cases: sizes.flatMap(([rows, columns]) =>
    [1, 3].map((replicas) =>
      drawnCase(
        `${rows}×${columns}`,
        replicas,
        { rows, columns, value: 0 },
        (graph, x) => {
          const t = graph.constant(rows, 1, 1);
          return { results: { z: noising(graph, x, t, { stream }).z } };
        },
        (seed) => {
          const width = Math.ceil(columns / 4) * 4;
          return normal(seed, stream, 0, rows * width).filter((_, i) => i % width < columns);
        },
      )
    )
  ),
};

/**
 * Creates a check of numbers drawn for two heads per seed. The heads' numbers follow one another in
 * the stream; those of the padding are skipped.
 */
function standalone(
  name: string,
  record: (graph: Graph, draw: Draw) => Tensor,
  numbers: (seed: number, stream: number, step: number, count: number) => Float64Array,
): Check {
  return {
    name,
    limit: 1e-5,
    cases: sizes.flatMap(([rows, columns]) =>
      [1, 3].map((replicas) =>
        drawnCase(
          `${rows}×${columns}, 2 heads`,
          replicas,
          { rows: 1, columns: 1, value: 0 },
          (graph) => ({ results: { y: record(graph, { rows, columns, stream, heads: 2 }) } }),
          (seed) => {
            const width = Math.ceil(columns / 4) * 4;
            return numbers(seed, stream, 0, 2 * rows * width).filter((_, i) => i % width < columns);
          },
        )
      )
    ),
  };
}

const uniformDraws = standalone(
  "uniform numbers",
  (graph, draw) => drawUniform(graph, draw, [-1, 3]),
  (...which) => uniformReference(...which).map((u) => 4 * u - 1),
);

const normalDraws = standalone("normal numbers", drawNormal, normalReference);

const droppedEntries: Check = {
  name: "dropout, drawn mask",
  limit: 1e-6,
  cases: [0, 0.1, 0.5].flatMap((rate) =>
    sizes.map(([rows, columns]) =>
      drawnCase(
        `${rows}×${columns}, rate ${rate}`,
        3,
        { rows, columns, value: 1 },
        (graph, x) => ({ results: { y: dropout(graph, x, { rate, keep: { stream } }) } }),
        (seed) =>
          wordsOf(seed, rows, columns).map((word) =>
            word < (1 - rate) * 2 ** 32 ? 1 / (1 - rate) : 0
          ),
      )
    )
  ),
};

/**
 * Creates records of two fields, [row, row + 0.25, row + 0.5] and [−row, 2 row], in `pageCount`
 * pages.
 */
function recordsOf(gpu: Gpu, rows: number, pageCount: number) {
  const pageRows = Math.ceil(rows / pageCount);
  const pages = Array.from({ length: pageCount }, (_, page) => {
    const first = page * pageRows;
    const count = Math.min(pageRows, rows - first);
    const floats = Float32Array.from({ length: count * 8 }, (_, i) => {
      const row = first + Math.floor(i / 8);
      return [row, row + 0.25, row + 0.5, 0, -row, 2 * row, 0, 0][i % 8]!;
    });
    const buffer = gpu.buffer("records", floats.byteLength);
    gpu.device.queue.writeBuffer(buffer, 0, floats);
    return buffer;
  });
  // The last row has no successor.
  const starts = Uint32Array.from({ length: rows - 1 }, (_, i) => i);
  const transitions = gpu.buffer("transitions", starts.byteLength);
  gpu.device.queue.writeBuffer(transitions, 0, starts);
  return { pages, pageRows, recordWidth: 2, transitions, transitionCount: rows - 1 };
}

const wholeField: RecordField = { start: 0, columns: 3 };
const entryField: RecordField = { start: 1, columns: 1, component: 1 };

const minibatches: Check = {
  name: "minibatch",
  limit: 0,
  cases: [1, 2, 3, 4].flatMap((pages) =>
    [1, 3].map((replicas): Case => ({
      shape: `33 of 257 rows, ${pages} pages`,
      replicas,
      measure: (session: Session) => measureMinibatch(session, pages, replicas),
    }))
  ),
};

async function measureMinibatch(
  session: Session,
  pages: number,
  replicas: number,
): Promise<number> {
  const rows = 33;
  const records = recordsOf(session.engine.gpu, 257, pages);
  const { results } = await session.compute({
    seeds: seedsOf(replicas),
    inputs: {},
    values: {},
    wanted: [],
    upstream: (count) => new Float32Array(count),
    record: (graph) => {
      const order = { rows, stream };
      return {
        results: {
          state: minibatch(graph, records, order, wholeField),
          next: minibatch(graph, records, order, wholeField, true),
          reward: minibatch(graph, records, order, entryField),
        },
      };
    },
  });
  for (const buffer of [...records.pages, records.transitions]) buffer.destroy();
  const chosen = matrix(
    replicas * rows,
    1,
    seedsOf(replicas).flatMap((seed) =>
      Array.from({ length: rows }, (_, i) => minibatchReference(seed, stream, 0, 256, i))
    ),
  );
  const state = (shift: number) =>
    [...chosen.values].flatMap((row) => [0, 0.25, 0.5].map((part) => row + shift + part));
  return Math.max(
    relativeError(results.get("state")!, state(0)),
    relativeError(results.get("next")!, state(1)),
    relativeError(results.get("reward")!, map(chosen, (row) => 2 * row).values),
  );
}

/** Checks of random operations. */
export const countedChecks: readonly Check[] = [
  uniformNumbers,
  normalNumbers,
  uniformDraws,
  normalDraws,
  droppedEntries,
  minibatches,
];
