/**
 * Checks of slices, reshapes, gathered rows and argmax.
 *
 * @module
 */
import { argmax, argmaxReference } from "../autodiff/ops/argmax.ts";
import { gatherRows, gatherRowsReference } from "../autodiff/ops/gather_rows.ts";
import { reshape, reshapeReference } from "../autodiff/ops/reshape.ts";
import { slice, sliceReference } from "../autodiff/ops/slice.ts";
import { type Check, compared } from "./check.ts";

/** Maps a normal number to an integer below `count`. */
const wholeBelow = (count: number) => (z: number) => Math.floor(Math.abs(z) * 1e3) % count;

const sliced: Check = {
  name: "slice",
  limit: 1e-6,
  cases: [[1, 1, 0, 1], [7, 13, 3, 6], [33, 257, 129, 128]].flatMap(
    ([rows, columns, first, taken]) =>
      [1, 3].map((replicas) =>
        compared({
          shape: `${taken} of ${rows}×${columns} from ${first}`,
          replicas,
          inputs: { x: { rows: rows!, columns: columns!, wanted: true } },
          record: (graph, { x }) => ({
            results: { y: slice(graph, x, first!, taken!) },
            objective: "y",
          }),
          reference: ({ x: [x] }) => ({ y: [sliceReference(x, first!, taken!)] }),
        })
      ),
  ),
};

const reshaped: Check = {
  name: "reshape",
  limit: 1e-6,
  cases: [[1, 1, 1], [21, 1, 7], [6, 15, 10], [4, 96, 3]].flatMap(([rows, columns, to]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×${columns} to rows of ${to}`,
        replicas,
        inputs: { x: { rows: rows!, columns: columns!, wanted: true } },
        record: (graph, { x }) => ({ results: { y: reshape(graph, x, to!) }, objective: "y" }),
        reference: ({ x: [x] }) => ({ y: [reshapeReference(x, to!)] }),
      })
    )
  ),
};

const gathered: Check = {
  name: "gather rows",
  limit: 1e-6,
  cases: [[1, 1, 1], [7, 13, 19], [33, 257, 11]].flatMap(([rows, columns, count]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${count} of ${rows}×${columns}`,
        replicas,
        inputs: {
          x: { rows: rows!, columns: columns!, wanted: true },
          index: { rows: count!, columns: 1, from: wholeBelow(rows!) },
        },
        record: (graph, { x, index }) => ({
          results: { y: gatherRows(graph, x, index) },
          objective: "y",
        }),
        reference: ({ x: [x], index: [index] }) => ({ y: [gatherRowsReference(x, index)] }),
      })
    )
  ),
};

/** Selects the candidate with the largest score among K per state. */
const best: Check = {
  name: "argmax",
  limit: 1e-6,
  cases: [[1, 1, 1], [7, 3, 5], [33, 8, 32]].flatMap(([states, columns, k]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `best of ${k}, ${states}×${columns}`,
        replicas,
        inputs: {
          candidates: { rows: states! * k!, columns: columns!, wanted: true },
          score: { rows: states! * k!, columns: 1 },
        },
        record: (graph, { candidates, score }) => {
          const index = argmax(graph, reshape(graph, score, k!));
          return {
            results: { index, y: gatherRows(graph, candidates, index, k!) },
            objective: "y",
          };
        },
        reference: ({ candidates: [candidates], score: [score] }) => {
          const index = argmaxReference(reshapeReference(score, k!));
          return { index: [index], y: [gatherRowsReference(candidates, index, k!)] };
        },
      })
    )
  ),
};

/** Checks of slices, reshapes, gathered rows and argmax. */
export const rowChecks: readonly Check[] = [sliced, reshaped, gathered, best];
