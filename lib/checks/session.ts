/**
 * Runs one small computation on the GPU: inputs in, one step, results and gradients out. Records
 * which operations and kernels were used.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { writeConstants, writeInput } from "../autodiff/compile.ts";
import { fuse } from "../autodiff/fusion.ts";
import { gradients } from "../autodiff/gradients.ts";
import { Graph, type Loss } from "../autodiff/graph.ts";
import { readStorage } from "../autodiff/memory.ts";
import type { OperationName } from "../autodiff/operations.ts";
import { concatenate } from "../autodiff/ops/concatenate.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import { padded, type Tensor } from "../autodiff/tensor.ts";
import { kernelKey, type KernelSpec } from "../gpu/kernel.ts";
import type { Program } from "../gpu/program.ts";

/** An input of a computation, with the same shape for every seed. */
export interface InputShape {
  /** Rows per head. */
  readonly rows: number;
  /** Columns, without padding. */
  readonly columns: number;
  /** Networks per seed, each with its own input. Defaults to 1. */
  readonly heads?: number;
  /** Whether it is a parameter. All parameters of a computation have the same number of heads. */
  readonly parameter?: boolean;
  /** Widths of the column segments of a parameter. Defaults to one segment. */
  readonly segments?: readonly number[];
}

/** Outputs of a recorded computation. */
export interface Recorded {
  /** Tensors to read, by name. */
  readonly results: Readonly<Record<string, Tensor>>;
  /** The objective to differentiate: a loss, or the name of a result with an upstream gradient. */
  readonly objective?: Loss | string;
  /** Widths of the segments of the differentiated result, if it is a concatenation. */
  readonly segments?: readonly number[];
}

/** A computation and its inputs. */
export interface Computation<Name extends string> {
  /** Seeds, one replica each. */
  readonly seeds: readonly number[];
  /** Shapes of the inputs. */
  readonly inputs: Readonly<Record<Name, InputShape>>;
  /** Values of every input, `[seeds · heads, rows, columns]`. */
  readonly values: Readonly<Record<NoInfer<Name>, Float32Array>>;
  /** Inputs whose gradients are computed. */
  readonly wanted: readonly NoInfer<Name>[];
  /** Returns `count` numbers: the upstream gradient of an objective with that many entries. */
  upstream(count: number): Float32Array;
  /** Records the operations. */
  record(graph: Graph, inputs: Readonly<Record<Name, Tensor>>): Recorded;
}

/** Outputs of a computation, `[replicas, rows, columns]` without padding. */
export interface Outcome<Name extends string> {
  /** Results by name. */
  readonly results: ReadonlyMap<string, Float32Array>;
  /** Name of the result or metric that was differentiated. */
  readonly objective: string | undefined;
  /** Metrics by name, one number per replica. */
  readonly metrics: ReadonlyMap<string, Float32Array>;
  /** Gradients by input name. */
  readonly gradients: ReadonlyMap<Name, Float32Array>;
  /** Names of results and gradients whose padding is not zero. */
  readonly spilled: readonly string[];
}

/** Runs computations on one engine. */
export class Session {
  /** The engine. */
  readonly engine: Engine;
  /** Names of the recorded operations. */
  readonly operations = new Set<OperationName>();
  /** Compiled kernels by key. */
  readonly kernels = new Map<string, KernelSpec>();

  /** Creates a session on an open engine. */
  constructor(engine: Engine) {
    this.engine = engine;
  }

  /**
   * Records the operations and kernels of a graph. Checks that compile their own graphs call this.
   */
  note(graph: Graph): void {
    for (const operation of [...graph.operations, ...fuse(graph.operations)]) {
      this.operations.add(operation.name);
      const kernel = operation.kernel(this.engine.target);
      if (kernel) this.kernels.set(kernelKey(kernel), kernel);
    }
  }

  /** Computes one step. */
  async compute<Name extends string>(computation: Computation<Name>): Promise<Outcome<Name>> {
    const graph = new Graph({ seeds: computation.seeds });
    const names = Object.keys(computation.inputs) as Name[];
    const { tensors, parameters } = this.#inputs(graph, computation);
    const recorded = computation.record(graph, tensors);
    const { objective } = recorded;

    const uploads: [Tensor, Float32Array][] = names
      .filter((name) => !computation.inputs[name].parameter)
      .map((name) => [tensors[name], computation.values[name]]);
    let found: (Tensor | null)[] = [];
    if (typeof objective === "string") {
      const tensor = recorded.results[objective]!;
      const upstream = upstreamOf(graph, tensor, recorded.segments, computation.upstream);
      uploads.push(...upstream.uploads);
      found = gradients(
        graph,
        { tensor, upstream: upstream.tensor },
        computation.wanted.map((name) => tensors[name]),
      );
    } else if (objective) {
      found = gradients(graph, objective, computation.wanted.map((name) => tensors[name]));
    }
    const missing = computation.wanted.filter((_, i) => !found[i]);
    if (missing.length > 0) throw new Error(`no gradient with respect to ${missing.join(", ")}`);

    this.note(graph);
    const kept = [...Object.values(recorded.results), ...found.map((tensor) => tensor!)];
    const program = await this.engine.compile(graph, kept);
    poison(program, graph);
    for (const [tensor, values] of uploads) writeInput(program, tensor, values);
    for (let replica = 0; replica < (parameters?.replicas ?? 0); replica++) {
      const values = parameters!.shapes.map(({ name }): [string, Float32Array] => {
        const all = computation.values[name as Name];
        const size = all.length / parameters!.replicas;
        return [name, all.subarray(replica * size, (replica + 1) * size)];
      });
      parameters!.write(program, replica, new Map(values));
    }

    const spilled: string[] = [];
    const read = async (name: string, tensor: Tensor, segments?: readonly number[]) => {
      const { values, clean } = await readSegments(program, tensor, segments ?? [tensor.columns]);
      if (!clean) spilled.push(name);
      return values;
    };
    const [row, results, gradientsRead] = await Promise.all([
      program.submit(0, 1),
      Promise.all(
        Object.entries(recorded.results).map(([name, tensor]) =>
          read(name, tensor, name === objective ? recorded.segments : undefined)
        ),
      ),
      Promise.all(
        computation.wanted.map((name, i) =>
          read(`gradient with respect to ${name}`, found[i]!, computation.inputs[name].segments)
        ),
      ),
    ]);
    program.destroy();
    return {
      results: new Map(Object.keys(recorded.results).map((name, i) => [name, results[i]!])),
      metrics: new Map(
        graph.metrics.map(({ name, index, replicas }) => [
          name,
          row.slice(index, index + replicas),
        ]),
      ),
      gradients: new Map(computation.wanted.map((name, i) => [name, gradientsRead[i]!])),
      objective: typeof objective === "string" ? objective : objective?.metric.name,
      spilled,
    };
  }

  #inputs<Name extends string>(graph: Graph, { inputs }: Computation<Name>) {
    const entries = Object.entries(inputs) as [Name, InputShape][];
    const shapes = entries.filter(([, { parameter }]) => parameter);
    const parameters = shapes.length === 0 ? null : new ParameterSet(
      graph,
      shapes.map(([name, { rows, columns, segments }]) => ({
        name,
        rows,
        segments: segments ?? [columns],
        vector: rows === 1,
      })),
      (shapes[0]![1].heads ?? 1) * graph.replicas,
    );
    const tensors = Object.fromEntries(entries.map(([name, shape]) => [
      name,
      shape.parameter
        ? parameters!.get(name)
        : graph.input(shape.rows, shape.columns, (shape.heads ?? 1) * graph.replicas),
    ])) as Record<Name, Tensor>;
    return { tensors, parameters };
  }
}

/**
 * Fills the activations with infinity before anything is written. An operation that reads beyond a
 * tensor's end, or padding that was not written, then yields NaN (zero times infinity) and fails
 * its check.
 */
function poison(program: Program, graph: Graph): void {
  const floats = program.arenaBytes("activations") / 4;
  program.write("activations", 0, new Float32Array(floats).fill(Infinity));
  writeConstants(program, graph);
}

/** Creates an input with the layout of `tensor`, segment by segment. */
function upstreamOf(
  graph: Graph,
  tensor: Tensor,
  segments: readonly number[] = [tensor.columns],
  numbers: (count: number) => Float32Array,
): { tensor: Tensor; uploads: [Tensor, Float32Array][] } {
  const { replicas, rows, columns } = tensor;
  const values = numbers(replicas * rows * columns);
  let start = 0;
  const uploads = segments.map((width): [Tensor, Float32Array] => {
    const part = new Float32Array(replicas * rows * width);
    for (let row = 0; row < replicas * rows; row++) {
      part.set(
        values.subarray(row * columns + start, row * columns + start + width),
        row * width,
      );
    }
    start += width;
    return [graph.input(rows, width, replicas), part];
  });
  const parts = uploads.map(([part]) => part);
  return { tensor: parts.length === 1 ? parts[0]! : concatenate(graph, parts), uploads };
}

/** Reads a tensor's values without padding, and whether the padding is zero. */
async function readSegments(
  program: Program,
  tensor: Tensor,
  segments: readonly number[],
): Promise<{ values: Float32Array; clean: boolean }> {
  const { replicas, rows, columns, rowStride, start, storage } = tensor;
  const floats = await readStorage(program, storage);
  const values = new Float32Array(replicas * rows * columns);
  let clean = true;
  let to = 0;
  for (let row = 0; row < replicas * rows; row++) {
    let from = Math.floor(row / rows) * storage.replicaSize + start + (row % rows) * rowStride;
    for (const width of segments) {
      values.set(floats.subarray(from, from + width), to);
      clean &&= floats.subarray(from + width, from + padded(width)).every((value) => value === 0);
      from += padded(width);
      to += width;
    }
  }
  return { values, clean };
}
