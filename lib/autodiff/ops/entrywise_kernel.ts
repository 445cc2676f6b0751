/**
 * Generates kernels of entrywise operations from expressions. A chain of operations whose
 * intermediate results are not read elsewhere becomes one expression and one dispatch
 * (`lib/autodiff/fusion.ts`).
 *
 * @module
 */
import activationSource from "../../../shaders/activation.wgsl" with { type: "text" };
import frameSource from "../../../shaders/entrywise.wgsl" with { type: "text" };
import functionsSource from "../../../shaders/functions.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import sineSource from "../../../shaders/sine.wgsl" with { type: "text" };
import type { Job, KernelSpec } from "../../gpu/kernel.ts";
import type { Operation } from "../graph.ts";
import { type OperationName, registerOperation } from "../operations.ts";
import type { Tensor } from "../tensor.ts";
import { elementwiseJobs } from "./elementwise.ts";

const chainName = registerOperation("entrywise chain");

/** The source of an entry: an entry of a tensor, or a function of expressions. */
export type Expression = Tensor | Call;

/** A function applied to expressions. */
export interface Call {
  /** WGSL in which the names of operands and constants stand for vec4s. */
  readonly wgsl: string;
  /** Operands by name. */
  readonly operands: Readonly<Record<string, Expression>>;
  /** Constants by name. */
  readonly constants: Readonly<Record<string, number>>;
}

function isCall(expression: Expression): expression is Call {
  return "wgsl" in expression;
}

/**
 * An operation that computes each entry of its result from the operands' entries at the same place.
 * Operands are broadcast: a single column to all columns, fewer rows to groups of consecutive rows,
 * and fewer replicas to neighboring ones.
 */
export class Entrywise implements Operation {
  readonly reads: Tensor[];
  readonly writes: readonly [Tensor];

  constructor(
    readonly name: OperationName,
    out: Tensor,
    readonly expression: Expression,
    readonly inputs: readonly Tensor[] = [],
    readonly gradient: NonNullable<Operation["gradient"]> = () => [],
  ) {
    this.reads = [...tensorsOf(expression)];
    this.writes = [out];
  }

  get parameters(): Tensor[] {
    return this.reads.filter(({ storage }) => storage.arena === "parameters");
  }

  /**
   * Returns this operation merged with `earlier`, which computes one of its operands; null if
   * impossible.
   */
  including(earlier: Operation): Entrywise | null {
    if (!(earlier instanceof Entrywise)) return null;
    const [out] = this.writes;
    const [operand] = earlier.writes;
    // A broadcast operand would be computed again for each row or column.
    if (!operand.hasShapeOf(out)) return null;
    return new Entrywise(chainName, out, replaced(this.expression, operand, earlier.expression));
  }

  kernel(): KernelSpec {
    const { fields, text } = this.#written();
    const record = [
      "rows: u32",
      "width: u32",
      "columns: u32",
      ...fields.map(({ name, type }) => `${name}: ${type}`),
      "out: u32",
      "out_stride: u32",
    ];
    const parameters = this.parameters.length > 0
      ? "@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;\n\n"
      : "";
    return {
      name: "entrywise",
      source: nanSource + activationSource + sineSource + functionsSource +
        `struct Job {\n${record.map((field) => `  ${field},\n`).join("")}}\n\n${parameters}` +
        `fn entries(job: Job, row: u32, column: u32) -> vec4f {\n${text}}\n\n` + frameSource,
    };
  }

  jobs(): Job[] {
    const [out] = this.writes;
    const { fields } = this.#written();
    return elementwiseJobs(out, (job) => ({
      // Functions allowed on a concatenation keep the padding within it zero.
      columns: out.gaps ? out.width : out.columns,
      ...Object.fromEntries(fields.map(({ name, value }) => [name, value(job)])),
    }));
  }

  /** Generates the body of the function `entries` and the job fields that it reads. */
  #written() {
    const [out] = this.writes;
    const fields: { name: string; type: "u32" | "f32"; value: (job: number) => number }[] = [];
    const field = (name: string, type: "u32" | "f32", value: (job: number) => number) => {
      fields.push({ name, type, value });
      return `job.${name}`;
    };
    const written = new Map<Expression, string>();
    const lines: string[] = [];
    const write = (expression: Expression): string => {
      const known = written.get(expression);
      if (known) return known;
      const wgsl = isCall(expression) ? called(expression) : loaded(expression);
      const name = `v${lines.length}`;
      lines.push(`  let ${name} = ${wgsl};\n`);
      written.set(expression, name);
      return name;
    };
    const loaded = (tensor: Tensor): string => {
      const name = `x${fields.length}`;
      const start = field(name, "u32", (job) => tensor.at(job, out.replicas));
      const stride = field(`${name}_stride`, "u32", () => tensor.stride);
      const row = tensor.rows === out.rows
        ? "row"
        : `row / ${field(`${name}_serves`, "u32", () => out.rows / tensor.rows)}`;
      const across = tensor.columns === 1 && out.columns > 1;
      const entry = `${tensor.storage.arena}[${start} + ${row} * ${stride}`;
      return across ? `vec4f(${entry}].x)` : `${entry} + column]`;
    };
    const called = ({ wgsl, operands, constants }: Call): string => {
      const names = new Map<string, string>();
      for (const [name, operand] of Object.entries(operands)) names.set(name, write(operand));
      for (const [name, value] of Object.entries(constants)) {
        names.set(name, `vec4f(${field(`k${fields.length}`, "f32", () => value)})`);
      }
      return wgsl.replace(/\b[a-z]+\b/g, (word) => names.get(word) ?? word);
    };
    lines.push(`  return ${write(this.expression)};\n`);
    return { fields, text: lines.join("") };
  }
}

/** Returns the tensors of an expression, without duplicates. */
export function tensorsOf(expression: Expression): Set<Tensor> {
  const tensors = new Set<Tensor>();
  // A subexpression may occur many times; it is visited once.
  const visited = new Set<Expression>();
  const visit = (part: Expression) => {
    if (visited.has(part)) return;
    visited.add(part);
    if (isCall(part)) Object.values(part.operands).forEach(visit);
    else tensors.add(part);
  };
  visit(expression);
  return tensors;
}

/**
 * Replaces a tensor in an expression by another expression. Repeated subexpressions remain shared.
 */
function replaced(expression: Expression, tensor: Tensor, by: Expression): Expression {
  const done = new Map<Expression, Expression>([[tensor, by]]);
  const visit = (part: Expression): Expression => {
    const known = done.get(part);
    if (known || !isCall(part)) return known ?? part;
    const operands = Object.entries(part.operands).map(([name, each]) => [name, visit(each)]);
    const call: Call = { ...part, operands: Object.fromEntries(operands) };
    done.set(part, call);
    return call;
  };
  return visit(expression);
}
