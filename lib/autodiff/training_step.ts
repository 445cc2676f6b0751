/**
 * A training step made of several updates, such as a critic's in every step and an actor's in every
 * second: one program each, over networks in a common store.
 *
 * @module
 */
import { Program } from "../gpu/program.ts";
import type { Graph } from "./graph.ts";

/** Metrics of one step by name, a number for each replica; of an update that did not run, none. */
export type StepMetrics = Readonly<Record<string, readonly number[]>>;

/** The programs of a training step. {@linkcode Engine.compileStep} makes it. */
export class TrainingStep {
  /** What the programs are compiled from, in the order in which they run. */
  readonly graphs: readonly Graph[];
  /** The programs, in the order in which they run. */
  readonly programs: readonly Program[];

  /** Programs with the graphs that they are compiled from. */
  constructor(graphs: readonly Graph[], programs: readonly Program[]) {
    this.graphs = graphs;
    this.programs = programs;
  }

  /** Dispatches of a step in which every program takes part. */
  get dispatchesPerStep(): number {
    return sum(this.programs.map(({ dispatchesPerStep }) => dispatchesPerStep));
  }

  /** Bytes of GPU memory that the programs and their store hold. */
  get bytes(): number {
    return sum(this.programs.map(({ bytes }) => bytes)) + this.#commonBytes;
  }

  /** Bytes of GPU memory that were planned: arenas, the store and the metrics of a chunk. */
  get plannedBytes(): number {
    return sum(this.programs.map(({ plannedBytes }) => plannedBytes)) + this.#commonBytes;
  }

  /**
   * Submits steps `first` … `first + count − 1`, counted from 0, as one command buffer, and resolves
   * with the metrics of each. In every step the programs that take part in it run in order. What a step
   * computes depends on its number alone: steps may be submitted in chunks of any size, and a run may go
   * on from any step.
   *
   * @param count At most `maxChunk`.
   */
  async submit(first: number, count: number): Promise<StepMetrics[]> {
    const rows = await Program.submitTogether(this.programs, first, count);
    const steps: Record<string, readonly number[]>[] = Array.from({ length: count }, () => ({}));
    this.graphs.forEach(({ metrics, metricsWidth: width }, g) => {
      const program = this.programs[g]!;
      let start = 0;
      steps.forEach((step, i) => {
        if (!program.takesPartIn(first + i)) return;
        for (const { name, index, replicas } of metrics) {
          step[name] = [...rows[g]!.subarray(start + index, start + index + replicas)];
        }
        start += width;
      });
    });
    return steps;
  }

  /** Frees the programs' memory. A common store keeps its own. */
  destroy(): void {
    for (const program of this.programs) program.destroy();
  }

  /** Frees the programs' memory at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  get #commonBytes(): number {
    const [{ store, ownsStore }] = this.graphs as [Graph];
    return ownsStore ? 0 : store.bytes;
  }
}

/** Whether graphs can make up a step: one store, the same seeds, and no metric's name twice. */
export function assertTogether(graphs: readonly Graph[]): void {
  const [first, ...others] = graphs;
  if (!first) throw new Error("compileStep: a step has at least one graph");
  for (const { store, seeds } of others) {
    if (store !== first.store) throw new Error("compileStep: the graphs have different stores");
    if (seeds.join() !== first.seeds.join()) {
      throw new Error(`compileStep: graphs of seeds ${first.seeds} and of seeds ${seeds}`);
    }
  }
  const names = graphs.flatMap(({ metrics }) => metrics.map(({ name }) => name));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new Error(`compileStep: two graphs report "${twice}"`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
