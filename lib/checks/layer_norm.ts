/**
 * Checks of layer normalization alone, after dropout, and in a residual block, where it adds the
 * gradient of the residual path to its own.
 *
 * @module
 */
import { dropout } from "../autodiff/ops/dropout.ts";
import { layerNorm, layerNormReference } from "../autodiff/ops/layer_norm.ts";
import { linear } from "../autodiff/ops/linear.ts";
import { type Case, type Check, compared, drawn, relativeError, seedsOf } from "./check.ts";
import { keepMask } from "./elementwise.ts";
import { affine, zip } from "../autodiff/matrix.ts";

const limit = 1e-5;
/** Larger than the default, so that a wrong epsilon is detected. */
const epsilon = 0.25;
/** A row with one column equals its mean, so normalization cancels numbers of about 1. */
const canceling = (columns: number) => columns === 1 ? { canceling: 1 } : {};
const sizes = [[1, 1], [7, 13], [33, 257]] as const;
const each = (make: (rows: number, columns: number, replicas: number) => Case): Case[] =>
  sizes.flatMap(([rows, columns]) => [1, 3].map((replicas) => make(rows, columns, replicas)));

const vector = (columns: number, heads = 1) => ({
  rows: 1,
  columns,
  heads,
  parameter: true,
  wanted: true,
});

const plain: Check = {
  name: "layer norm",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}, 2 heads`,
      replicas,
      ...canceling(columns),
      inputs: {
        x: { rows, columns, heads: 2, wanted: true },
        gain: vector(columns, 2),
        shift: vector(columns, 2),
      },
      record: (graph, { x, gain, shift }) => ({
        results: { y: layerNorm(graph, x, { gain, shift, epsilon }) },
        objective: "y",
      }),
      reference: ({ x, gain, shift }) => ({
        y: x.map((member, head) => layerNormReference(member, gain[head]!, shift[head]!, epsilon)),
      }),
    })
  ),
};

const afterDropout: Check = {
  name: "layer norm, given mask",
  limit,
  cases: each((rows, columns, replicas) =>
    compared({
      shape: `${rows}×${columns}`,
      replicas,
      ...canceling(columns),
      inputs: {
        x: { rows, columns, wanted: true },
        mask: { rows, columns, from: keepMask },
        gain: vector(columns),
        shift: vector(columns),
      },
      record: (graph, { x, mask, gain, shift }) => ({
        results: {
          y: layerNorm(graph, x, { gain, shift, epsilon }, { rate: 0.1, keep: { mask } }),
        },
        objective: "y",
      }),
      reference: ({ x, mask, gain, shift }) => ({
        y: [
          layerNormReference(
            zip(x[0], mask[0], (a, keep) => (a * keep) / 0.9),
            gain[0],
            shift[0],
            epsilon,
          ),
        ],
      }),
    })
  ),
};

const block: Check = {
  name: "layer norm, residual block",
  limit,
  cases: [[1, 4], [7, 13], [33, 40]].flatMap(([rows, columns]) =>
    [1, 3].map((replicas) =>
      compared({
        shape: `${rows}×${columns}`,
        replicas,
        inputs: {
          x: { rows: rows!, columns: columns!, wanted: true },
          gain: vector(columns!),
          shift: vector(columns!),
          weight: {
            rows: columns!,
            columns: columns!,
            parameter: true,
            wanted: true,
            from: (z) => z / Math.sqrt(columns!),
          },
          bias: vector(columns!),
        },
        record: (graph, { x, gain, shift, weight, bias }) => {
          const branch = layerNorm(graph, x, { gain, shift });
          return {
            results: { y: linear(graph, branch, { weight, bias }, "none", x) },
            objective: "y",
          };
        },
        reference: ({ x, gain, shift, weight, bias }) => ({
          y: [
            zip(
              affine(layerNormReference(x[0], gain[0], shift[0]), weight[0], bias[0]),
              x[0],
              (a, b) => a + b,
            ),
          ],
        }),
      })
    )
  ),
};

/**
 * With drawn masks, the forward and the backward pass of normalization after dropout must keep the
 * same entries as dropout alone.
 */
const drawnMask: Check = {
  name: "layer norm, drawn mask",
  limit,
  cases: each((rows, columns, replicas) => ({
    shape: `${rows}×${columns}`,
    replicas,
    async measure(session) {
      const seeds = seedsOf(replicas);
      const stream = 77;
      const x = { rows, columns };
      const upstream = (count: number) => drawn({ rows: 1, columns: count }, 1, 3);
      const dropped = await session.compute({
        seeds,
        inputs: { x },
        values: { x: new Float32Array(replicas * rows * columns).fill(0.9) },
        wanted: [],
        upstream,
        record: (graph, { x }) => ({
          results: { mask: dropout(graph, x, { rate: 0.1, keep: { stream } }) },
        }),
      });
      const inputs = { x, mask: x, gain: vector(columns), shift: vector(columns) };
      const values = {
        x: drawn(inputs.x, replicas, 0),
        mask: dropped.results.get("mask")!.map(Math.round),
        gain: drawn(inputs.gain, replicas, 1),
        shift: drawn(inputs.shift, replicas, 2),
      };
      const outcome = (drawnAnew: boolean) =>
        session.compute({
          seeds,
          inputs,
          values,
          wanted: ["x"],
          upstream,
          record: (graph, { x, mask, gain, shift }) => {
            const keep = drawnAnew ? { stream } : { mask };
            return {
              results: { y: layerNorm(graph, x, { gain, shift }, { rate: 0.1, keep }) },
              objective: "y",
            };
          },
        });
      const [found, expected] = [await outcome(true), await outcome(false)];
      return Math.max(
        relativeError(found.results.get("y")!, expected.results.get("y")!),
        relativeError(found.gradients.get("x")!, expected.gradients.get("x")!),
      );
    },
  })),
};

/** Checks of layer normalization. */
export const layerNormChecks: readonly Check[] = [plain, afterDropout, drawnMask, block];
