/**
 * A trained noise prediction evaluated at points of the plane, with its exact divergence.
 *
 * @module
 */
import { readTensor, writeInput } from "../autodiff/compile.ts";
import type { Engine } from "../autodiff/engine.ts";
import { gradients } from "../autodiff/gradients.ts";
import { Graph } from "../autodiff/graph.ts";
import { ParameterSet } from "../autodiff/parameters.ts";
import { Tensor } from "../autodiff/tensor.ts";
import { broadcast } from "../autodiff/ops/broadcast.ts";
import type { Program } from "../gpu/program.ts";
import { behaviorShapes, noisePrediction, timeEmbedding } from "../nn/behavior_model.ts";
import type { Behavior } from "./behavior.ts";

/** ε̂ at several points and one time. */
export interface FieldValues {
  /** ε̂, `[rows, 2]`. */
  readonly noise: Float32Array;
  /** ∂ε̂_x/∂x + ∂ε̂_y/∂y, `[rows]`. */
  readonly divergence: Float32Array;
}

/** Evaluates a noise prediction at points `[rows, 2]` and one time. */
export type Field = (points: Float32Array, t: number) => Promise<FieldValues>;

/** A trained behavior model without a state, evaluated on the GPU. */
export class LearnedField {
  readonly #program: Program;
  readonly #points: Tensor;
  readonly #features: Tensor;
  readonly #outputs: readonly [noise: Tensor, alongX: Tensor, alongY: Tensor];
  readonly #frequencies: Float32Array;

  private constructor(
    program: Program,
    points: Tensor,
    features: Tensor,
    outputs: readonly [Tensor, Tensor, Tensor],
    frequencies: Float32Array,
  ) {
    this.#program = program;
    this.#points = points;
    this.#features = features;
    this.#outputs = outputs;
    this.#frequencies = frequencies;
  }

  /** Compiles the evaluation at up to `rows` points. */
  static async open(
    engine: Engine,
    { shape, values }: Behavior,
    rows: number,
  ): Promise<LearnedField> {
    const graph = new Graph({ seeds: [0] });
    const parameters = new ParameterSet(graph, behaviorShapes(shape), 1);
    const points = graph.input(rows, 2);
    const features = graph.input(1, 2 * shape.frequencies);
    const embedded = timeEmbedding(graph, parameters, features);
    const noise = noisePrediction(graph, parameters, {
      action: points,
      state: new Tensor({ replicas: 1, rows, columns: 0 }),
      embedding: broadcast(graph, embedded, { replicas: 1, rows, columns: embedded.columns }),
    });
    // Row i of the Jacobian is the gradient of ε̂_i; its entry i is a term of the divergence.
    const [alongX, alongY] = [[1, 0], [0, 1]].map(([x, y]) => {
      const upstream = graph.table(
        rows,
        2,
        Float32Array.from({ length: 2 * rows }, (_, i) => i % 2 === 0 ? x! : y!),
      );
      return gradients(graph, { tensor: noise, upstream }, [points])[0]!;
    }) as [Tensor, Tensor];
    const program = await engine.compile(graph, [noise, alongX, alongY]);
    parameters.write(parameters.store, 0, values);
    return new LearnedField(
      program,
      points,
      features,
      [noise, alongX, alongY],
      values.get("embed.0.W")!,
    );
  }

  /** Evaluates the prediction; see {@linkcode Field}. */
  async at(points: Float32Array, t: number): Promise<FieldValues> {
    const count = points.length / 2;
    const padded = new Float32Array(2 * this.#points.rows);
    padded.set(points);
    const half = this.#frequencies.length;
    // In double precision, as the phases may reach hundreds of turns.
    const features = Float32Array.from({ length: 2 * half }, (_, i) => {
      const phase = 2 * Math.PI * t * this.#frequencies[i % half]!;
      return i < half ? Math.sin(phase) : Math.cos(phase);
    });
    writeInput(this.#program, this.#points, padded);
    writeInput(this.#program, this.#features, features);
    const [, noise, alongX, alongY] = await Promise.all([
      this.#program.submit(0, 1),
      ...this.#outputs.map((tensor) => readTensor(this.#program, tensor)),
    ]) as [Float32Array, Float32Array, Float32Array, Float32Array];
    return {
      noise: noise.subarray(0, 2 * count),
      divergence: Float32Array.from(
        { length: count },
        (_, i) => alongX[2 * i]! + alongY[2 * i + 1]!,
      ),
    };
  }

  /** Frees the GPU memory. */
  [Symbol.dispose](): void {
    this.#program.destroy();
  }
}
