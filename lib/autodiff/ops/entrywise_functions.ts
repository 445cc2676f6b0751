/**
 * The table of entrywise functions: value and derivatives in WGSL, and the value in double
 * precision.
 *
 * @module
 */
import { gelu, mish, softplus } from "../matrix.ts";

/** A function of one or two operands. */
export interface EntrywiseFunction {
  /** WGSL of the value, in terms of the operands `a` and `b` and the constants. */
  readonly value: string;
  /**
   * WGSL of the gradient with respect to each operand, in terms of the upstream gradient `g`, the
   * operands, the constants and the value `out`; null if not differentiable.
   */
  readonly gradients: readonly (string | null)[];
  /** The value in double precision. The arguments are the operands, then the constants. */
  readonly reference: (...numbers: number[]) => number;
  /** Names of the constants. */
  readonly constants?: readonly string[];
  /**
   * Whether it is zero if the first operand is (`first`) or if all operands are (`all`). Such
   * functions may be applied to a concatenation, because they keep its padding zero.
   */
  readonly zero?: "first" | "all";
}

/** All entrywise functions. Gradients at kinks and ties follow PyTorch. */
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
    reference: softplus,
  },
  mish: {
    value: "mish(a)",
    gradients: ["g * mish_derivative(a)"],
    reference: mish,
    zero: "first",
  },
  silu: {
    value: "a * sigmoid(a)",
    gradients: ["g * sigmoid(a) * (1.0 + a * (1.0 - sigmoid(a)))"],
    reference: (a) => a / (1 + Math.exp(-a)),
    zero: "first",
  },
  gelu: {
    value: "a * normal_cdf(a)",
    gradients: ["g * gelu_derivative(a)"],
    reference: gelu,
    zero: "first",
  },
} as const satisfies Readonly<Record<string, EntrywiseFunction>>;

/** Name of an entrywise function. */
export type EntrywiseName = keyof typeof entrywiseFunctions;
