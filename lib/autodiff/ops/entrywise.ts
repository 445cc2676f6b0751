/**
 * Entrywise operations: a table of functions, each with its value and derivatives in WGSL and its value
 * in double precision. Operands are broadcast: one column serves all columns, one row all rows, fewer
 * replicas neighbouring ones. Chains of them that nobody else reads become one dispatch.
 *
 * @module
 */
import type { Graph } from "../graph.ts";
import {
  gelu as geluReference,
  mish as mishReference,
  softplus as softplusReference,
} from "../matrix.ts";
import { type OperationName, registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { type BroadcastShape, summedTo } from "./broadcast.ts";
import { type Call, Entrywise, type Expression } from "./entrywise_kernel.ts";

/** A function of one or two operands. */
export interface EntrywiseFunction {
  /** WGSL of the operands `a` and `b` and of the constants. */
  readonly value: string;
  /**
   * WGSL of the gradient by each operand, of the upstream gradient `g`, the operands, the constants and
   * the value `out`; null where nothing is differentiated.
   */
  readonly gradients: readonly (string | null)[];
  /** The value in double precision, of the operands, then the constants. */
  readonly reference: (...numbers: number[]) => number;
  /** Names of the constants. */
  readonly constants?: readonly string[];
  /**
   * Whether it is zero where the first operand is (`first`), or where all are (`all`): such functions
   * may be applied to a concatenation, whose padding they keep zero.
   */
  readonly zero?: "first" | "all";
}

/** All entrywise functions. Conventions at kinks and ties are PyTorch's. */
export const entrywiseFunctions = {
  add: { value: "a + b", gradients: ["g", "g"], reference: (a, b) => a + b, zero: "all" },
  subtract: { value: "a - b", gradients: ["g", "-g"], reference: (a, b) => a - b, zero: "all" },
  multiply: {
    value: "a * b",
    gradients: ["g * b", "g * a"],
    reference: (a, b) => a * b,
    zero: "first",
  },
  divide: { value: "a / b", gradients: ["g / b", "-g * out / b"], reference: (a, b) => a / b },
  minimum: {
    value: "min_or_nan(a, b)",
    gradients: ["g * share_of_smaller(a, b)", "g * share_of_smaller(b, a)"],
    reference: Math.min,
    zero: "all",
  },
  maximum: {
    value: "max_or_nan(a, b)",
    gradients: ["g * share_of_smaller(b, a)", "g * share_of_smaller(a, b)"],
    reference: Math.max,
    zero: "all",
  },
  scale: {
    value: "a * factor",
    gradients: ["g * factor"],
    reference: (a, factor) => a * factor,
    constants: ["factor"],
    zero: "first",
  },
  shift: {
    value: "a + offset",
    gradients: ["g"],
    reference: (a, offset) => a + offset,
    constants: ["offset"],
  },
  clip: {
    value: "min_or_nan(max_or_nan(a, low), high)",
    gradients: ["select(vec4f(0.0), g, (a >= low) & (a <= high))"],
    reference: (a, low, high) => Math.min(Math.max(a, low), high),
    constants: ["low", "high"],
  },
  exp: { value: "exp(a)", gradients: ["g * out"], reference: Math.exp },
  log: { value: "log(a)", gradients: ["g / a"], reference: Math.log },
  sqrt: { value: "sqrt(a)", gradients: ["0.5 * g / out"], reference: Math.sqrt },
  sin: { value: "sine(a)", gradients: ["g * cosine(a)"], reference: Math.sin, zero: "first" },
  cos: { value: "cosine(a)", gradients: ["-g * sine(a)"], reference: Math.cos },
  abs: { value: "abs(a)", gradients: ["g * sign(a)"], reference: Math.abs, zero: "first" },
  relu: {
    value: "relu(a)",
    gradients: ["select(vec4f(0.0), g, out > vec4f(0.0))"],
    reference: (a) => Math.max(a, 0),
    zero: "first",
  },
  tanh: {
    value: "tanh_stable(a)",
    gradients: ["g * (1.0 - out * out)"],
    reference: Math.tanh,
    zero: "first",
  },
  sigmoid: {
    value: "sigmoid(a)",
    gradients: ["g * out * (1.0 - out)"],
    reference: (a) => 1 / (1 + Math.exp(-a)),
  },
  softplus: {
    value: "softplus(a)",
    gradients: ["g * softplus_derivative(a)"],
    reference: softplusReference,
  },
  mish: {
    value: "mish(a)",
    gradients: ["g * mish_derivative(a)"],
    reference: mishReference,
    zero: "first",
  },
  silu: {
    value: "a * sigmoid(a)",
    gradients: ["g * sigmoid(a) * (1.0 + a * (1.0 - sigmoid(a)))"],
    reference: (a) => a / (1 + Math.exp(-a)),
    zero: "first",
  },
  gelu: {
    value: "a * normal_below(a)",
    gradients: ["g * gelu_derivative(a)"],
    reference: geluReference,
    zero: "first",
  },
} as const satisfies Readonly<Record<string, EntrywiseFunction>>;

/** Name of an entrywise function. */
export type EntrywiseName = keyof typeof entrywiseFunctions;

/** Activations that a linear layer applies to its result; `softplus` has PyTorch's threshold. */
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
 * @param operands As many as the function has, of shapes that broadcast to one.
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
 * `upstream` times the derivative of `activation`: by the operation that computes `upstream` where it
 * can take that over, else by one of its own.
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

/** The gradient by one operand, in the shape of the result. */
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
  const { replicas, rows, columns, width, gaps } = upstream;
  const dx = new Tensor({ replicas, rows, columns, width, gaps });
  graph.record(new Entrywise(operationName(`${name} gradient`), dx, call));
  return dx;
}

function isActivation(name: string): name is Exclude<Activation, "none"> {
  return activations.includes(name);
}

/** A call with those of the operands and constants that its text names. */
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

/** The shape that operands broadcast to. */
function resultShape(
  name: EntrywiseName,
  { zero }: EntrywiseFunction,
  operands: readonly Tensor[],
): BroadcastShape & { width?: number; gaps?: boolean } {
  const [first] = operands as [Tensor];
  const largest = (of: (tensor: Tensor) => number) => Math.max(...operands.map(of));
  const [replicas, rows, columns] = [
    largest((tensor) => tensor.replicas),
    largest((tensor) => tensor.rows),
    largest((tensor) => tensor.columns),
  ];
  // An operand that serves all columns has no padding of its own.
  const wide = operands.filter((tensor) => tensor.columns === columns);
  const { width, gaps } = wide[0]!;
  const fits =
    operands.every((tensor) =>
      replicas % tensor.replicas === 0 && [1, rows].includes(tensor.rows) &&
      [1, columns].includes(tensor.columns)
    ) && wide.every((tensor) => tensor.width === width && tensor.gaps === gaps);
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
  return { replicas, rows, columns, width, gaps };
}

/** a + b. */
export function add(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "add", [a, b]);
}

/** a − b. */
export function subtract(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "subtract", [a, b]);
}

/** a b, entry by entry. */
export function multiply(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "multiply", [a, b]);
}

/** a / b, entry by entry. */
export function divide(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "divide", [a, b]);
}

/** The smaller of a and b; where they are equal each gets half of the gradient. */
export function minimum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "minimum", [a, b]);
}

/** The larger of a and b; where they are equal each gets half of the gradient. */
export function maximum(graph: Graph, a: Tensor, b: Tensor): Tensor {
  return entrywise(graph, "maximum", [a, b]);
}

/** x times a number. */
export function scale(graph: Graph, x: Tensor, factor: number): Tensor {
  return entrywise(graph, "scale", [x], [factor]);
}

/** x plus a number. */
export function shift(graph: Graph, x: Tensor, offset: number): Tensor {
  return entrywise(graph, "shift", [x], [offset]);
}

/** x, at least `low` and at most `high`; the gradient beyond is zero. */
export function clip(graph: Graph, x: Tensor, low: number, high: number): Tensor {
  return entrywise(graph, "clip", [x], [low, high]);
}

/** eˣ. */
export function exp(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "exp", [x]);
}

/** The natural logarithm. */
export function log(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "log", [x]);
}

/** √x. */
export function sqrt(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sqrt", [x]);
}

/** sin x, for |x| up to 1e5. */
export function sin(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sin", [x]);
}

/** cos x, for |x| up to 1e5. */
export function cos(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "cos", [x]);
}

/** |x|; its derivative at 0 is 0. */
export function abs(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "abs", [x]);
}

/** max(x, 0). */
export function relu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "relu", [x]);
}

/** tanh x. */
export function tanh(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "tanh", [x]);
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "sigmoid", [x]);
}

/** log(1 + eˣ), as PyTorch's: x itself above 20. */
export function softplus(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "softplus", [x]);
}

/** x tanh(softplus x). */
export function mish(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "mish", [x]);
}

/** x sigmoid(x). */
export function silu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "silu", [x]);
}

/** x Φ(x) with the distribution function Φ of the normal distribution: PyTorch's default, not its tanh form. */
export function gelu(graph: Graph, x: Tensor): Tensor {
  return entrywise(graph, "gelu", [x]);
}

/**
 * a + b where both are gradients on their way: the operation that computes one of them adds the other
 * if it can, and the tensor becomes the sum.
 */
export function accumulate(graph: Graph, a: Tensor, b: Tensor): Tensor {
  if (a !== b && absorbs(graph, b, a)) return b;
  if (a !== b && absorbs(graph, a, b)) return a;
  return add(graph, a, b);
}

/** Lets the operation behind `sum` add `addend`, which must have been computed before it. */
function absorbs(graph: Graph, sum: Tensor, addend: Tensor): boolean {
  const producer = graph.extensible(sum);
  if (!producer?.absorbAddend) return false;
  // By memory, not by name: the addend may be a part of what another operation writes.
  const written = graph.operations.findLastIndex(({ writes }) =>
    writes.some((tensor) => tensor.overlaps(addend))
  );
  return written < graph.operations.indexOf(producer) && producer.absorbAddend(addend);
}
