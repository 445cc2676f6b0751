/**
 * Concatenation along the columns. It does not copy: the parts are computed in place in the result.
 *
 * @module
 */
import type { Graph } from "../graph.ts";
import { registerOperation } from "../operations.ts";
import { type Storage, Tensor } from "../tensor.ts";
import { copy } from "./copy.ts";

export { beside as concatenateReference } from "../matrix.ts";

const concatenateName = registerOperation("concatenate");

/**
 * Concatenates tensors `[R, rows, c_i]` to `[R, rows, Σ c_i]`. Each part keeps its padding to whole
 * vec4s, so a weight multiplied with the result has the same segments. A part whose place is
 * already fixed (an input, or a part of another concatenation) is copied. A part without columns,
 * such as the state of a bandit, adds nothing.
 */
export function concatenate(graph: Graph, parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  if (
    !first || parts.some((part) => part.replicas !== first.replicas || part.rows !== first.rows)
  ) {
    throw new Error(`concatenate: replicas and rows must agree, got ${parts.join(" and ")}`);
  }
  const width = parts.reduce((total, part) => total + part.width, 0);
  const storage: Storage = {
    arena: "activations",
    replicaSize: first.rows * width,
    replicas: first.replicas,
    sharing: "columns",
    persistent: false,
    offset: undefined,
    slices: 1,
  };
  const starts = parts.map((_, i) =>
    parts.slice(0, i).reduce((total, part) => total + part.width, 0)
  );
  parts.forEach((part, i) => {
    if (part.columns === 0) return;
    // A concatenation only names the memory of its parts, so it cannot be moved.
    const producer = graph.producer(part);
    const own =
      part.movable && producer && producer.name !== concatenateName && parts.indexOf(part) === i
        ? part
        : copy(graph, part);
    own.moveTo(storage, starts[i]!, width);
  });
  const whole = new Tensor({
    replicas: first.replicas,
    rows: first.rows,
    columns: parts.reduce((total, part) => total + part.columns, 0),
    segments: parts.flatMap(({ segments }) => segments),
  }, storage);
  graph.record({
    name: concatenateName,
    inputs: parts,
    reads: [],
    writes: [whole],
    kernel: () => null,
    jobs: () => [],
    gradient: (upstream) => parts.map((part, i) => upstream.viewOf(part, starts[i]!)),
  });
  return whole;
}
