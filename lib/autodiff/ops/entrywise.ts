/**
 * Entrywise operations: the functions of entrywise_functions.ts. Operands are broadcast: a single
 * column to all columns, a single row to all rows, and fewer replicas to neighboring ones. Chains
 * of operations whose intermediate results are not read elsewhere become one dispatch.
 *
 * @module
 */
import type { Graph } from "../graph.ts";
import { type OperationName, registerOperation } from "../operations.ts";
import { Tensor, type TensorShape } from "../tensor.ts";
import { summedTo } from "./broadcast.ts";
import { shapeOf } from "./shapes.ts";
import {
  type EntrywiseFunction,
  entrywiseFunctions,
  type EntrywiseName,
} from "./entrywise_functions.ts";
import { type Call, Entrywise, type Expression } from "./entrywise_kernel.ts";

/**
 * Activation functions; `softplus` has PyTorch's threshold. Linear layers apply all but `softplus`.
 */
export type Activation = "none" | "relu" | "tanh" | "mish" | "softplus";

const activations: readonly string[] = ["relu", "tanh", "mish", "softplus"];

const operationNames = new Map(
  Object.entries<EntrywiseFunction>(entrywiseFunctions).flatMap(([name, { gradients }]) => {
    const own = gradients.some((wgsl) => wgsl !== "g") ? [name, `${name} gradient`] : [name];
    return own.map((each) => [each, registerOperation(each)] as const);
  }),
);

function operationName(name: string): OperationName {
  return operationNames.get(name)!;
}

const operandNames = ["a", "b"] as const;

/**
 * Applies a function of the table.
 *
 * @param operands The function's operands, whose shapes broadcast to a common shape.
 * @param constants The function's constants, in order.
 */
export function entrywise(
  graph: Graph,
  name: EntrywiseName,
  operands: readonly Tensor[],
  constants: readonly number[] = [],
): Tensor {
  const rule: EntrywiseFunction = entrywiseFunctions[name];
  const y = new Tensor(resultShape(name, rule, operands));
  const given = {
    operands: Object.fromEntries(operands.map((operand, i) => [operandNames[i]!, operand])),
    constants: Object.fromEntries((rule.constants ?? []).map((each, i) => [each, constants[i]!])),
  };
  graph.record(
    new Entrywise(
      operationName(name),
      y,
      callOf(rule.value, given),
      operands,
      (upstream, wanted) =>
        operands.map((operand, i) => {
          if (!wanted[i]) return null;
          const gradient = derivative(graph, name, i, upstream, {
            ...given,
            operands: { ...given.operands, out: y },
          });
          return summedTo(graph, gradient, operand);
        }),
    ),
  );
  return y;
}

/**
 * Multiplies `upstream` by the derivative of `activation`. The multiplication is merged into the
 * operation that computes `upstream` if possible; otherwise it is recorded as an operation.
 *
 * @param saved The activation's output (ReLU, tanh) or its input (mish, softplus).
 */
export function applyDerivative(
  graph: Graph,
  upstream: Tensor,
  activation: Activation,
  saved: Tensor,
): Tensor {
  if (activation === "none") return upstream;
  return derivative(graph, activation, 0, upstream, {
    operands: { a: saved, out: saved },
    constants: {},
  });
}

/** Returns the gradient with respect to one operand, in the shape of the result. */
function derivative(
  graph: Graph,
  name: EntrywiseName,
  operand: number,
  upstream: Tensor,
  { operands, constants }: { operands: Record<string, Tensor>; constants: Record<string, number> },
): Tensor {
  const wgsl = (entrywiseFunctions[name] as EntrywiseFunction).gradients[operand]!;
  if (wgsl === "g") return upstream;
  const call = callOf(wgsl, { operands: { g: upstream, ...operands }, constants });
  if (isActivation(name)) {
    const saved = (call.operands.out ?? call.operands.a) as Tensor;
    if (graph.extensible(upstream)?.absorbDerivative?.(name, saved)) return upstream;
  }
  const dx = new Tensor(shapeOf(upstream));
  graph.record(new Entrywise(operationName(`${name} gradient`), dx, call));
  return dx;
}

function isActivation(name: string): name is Exclude<Activation, "none"> {
  return activations.includes(name);
}

/** Returns a call with the operands and constants that `wgsl` names. */
function callOf(
  wgsl: string,
  { operands, constants }: {
    operands: Readonly<Record<string, Expression>>;
    constants: Readonly<Record<string, number>>;
  },
): Call {
  const words = new Set(wgsl.match(/\b[a-z]+\b/g));
  const named = <T>(all: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => words.has(name)));
  return { wgsl, operands: named(operands), constants: named(constants) };
}

/** Returns the shape that the operands broadcast to. */
function resultShape(
  name: EntrywiseName,
  { zero }: EntrywiseFunction,
  operands: readonly Tensor[],
): TensorShape {
  const [first] = operands as [Tensor];
  const largest = (of: (tensor: Tensor) => number) => Math.max(...operands.map(of));
  const [replicas, rows, columns] = [
    largest((tensor) => tensor.replicas),
    largest((tensor) => tensor.rows),
    largest((tensor) => tensor.columns),
  ];
  // A single column that is broadcast does not determine the padding.
  const wide = operands.filter((tensor) => tensor.columns === columns);
  const { segments, gaps } = wide[0]!;
  const fits =
    operands.every((tensor) =>
      replicas % tensor.replicas === 0 && [1, rows].includes(tensor.rows) &&
      [1, columns].includes(tensor.columns)
    ) && wide.every((tensor) => tensor.alignedWith(wide[0]!));
  if (!fits) throw new Error(`${name}: shapes must agree, got ${operands.join(" and ")}`);
  if (
    gaps && !(zero === "first" ? first.gaps : zero === "all" && wide.length === operands.length)
  ) {
    throw new Error(
      `${name}: ${
        wide[0]
      } is a concatenation with padding between its parts; apply it to the parts`,
    );
  }
  return { replicas, rows, columns, segments };
}

/**
 * Returns a + b.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "add", [a, b]);
}

/**
 * Returns a − b.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function subtract(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "subtract", [a, b]);
}

/**
 * Returns the entrywise product a b.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function multiply(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "multiply", [a, b]);
}

/**
 * Returns the entrywise quotient a / b.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function divide(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "divide", [a, b]);
}

/**
 * Returns the entrywise minimum of a and b. Where they are equal, each gets half of the gradient.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function minimum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "minimum", [a, b]);
}

/**
 * Returns the entrywise maximum of a and b. Where they are equal, each gets half of the gradient.
 *
 * @returns `[R, rows, columns]`, to which a and b are broadcast.
 */
export function maximum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "maximum", [a, b]);
}

/**
 * Multiplies x by a number.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function scale(graph: Graph, x: Tensor, factor: number): Tensor {
  return entrywise(graph, "scale", [x], [factor]);
}

/**
 * Adds a number to x.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function shift(graph: Graph, x: Tensor, offset: number): Tensor {
  return entrywise(graph, "shift", [x], [offset]);
}

/**
 * Clips x to [low, high]. The gradient outside is zero.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function clip(graph: Graph, x: Tensor, low: number, high: number): Tensor {
  return entrywise(graph, "clip", [x], [low, high]);
}

/**
 * Returns eˣ.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function exp(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "exp", [x]);
}

/**
 * Returns the natural logarithm of x.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function log(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "log", [x]);
}

/**
 * Returns √x.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function sqrt(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sqrt", [x]);
}

/**
 * Returns sin x for |x| up to 1e5.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function sin(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sin", [x]);
}

/**
 * Returns cos x for |x| up to 1e5.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function cos(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "cos", [x]);
}

/**
 * Returns |x|. Its derivative at 0 is 0.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function abs(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "abs", [x]);
}

/**
 * Returns max(x, 0).
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function relu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "relu", [x]);
}

/**
 * Returns tanh x.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function tanh(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "tanh", [x]);
}

/**
 * Returns 1 / (1 + e⁻ˣ).
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function sigmoid(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sigmoid", [x]);
}

/**
 * Returns log(1 + eˣ), and x above 20, as PyTorch does.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function softplus(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "softplus", [x]);
}

/**
 * Returns x tanh(softplus x).
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function mish(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "mish", [x]);
}

/**
 * Returns x sigmoid(x).
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function silu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "silu", [x]);
}

/**
 * Returns x Φ(x) with the standard normal distribution function Φ. This is PyTorch's default, not
 * its tanh approximation.
 *
 * @returns `[R, rows, columns]`, as x.
 */
export function gelu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "gelu", [x]);
}

/**
 * Returns a + b for two gradients that are still under construction. If possible, the addition is
 * merged into the operation that computes one of them, and that tensor becomes the sum.
 */
export function accumulate(graph: Graph, a: Tensor, b: Tensor): Tensor {
  if (a !== b && absorbs(graph, b, a)) return b;
  if (a !== b && absorbs(graph, a, b)) return a;
  return add(graph, a, b);
}

/**
 * Merges the addition of `addend` into the operation that computes `sum`, if `addend` is computed
 * before it.
 */
function absorbs(graph: Graph, sum: Tensor, addend: Tensor): boolean {
  const producer = graph.extensible(sum);
  if (!producer?.absorbAddend) return false;
  // Compares memory, because the addend may be part of another operation's output.
  const written = graph.operations.findLastIndex(({ writes }) =>
    writes.some((tensor) => tensor.overlaps(addend))
  );
  return written < graph.operations.indexOf(producer) && producer.absorbAddend(addend);
}
