/**
 * A training step of several updates, for example of the critic in every step and of the actor in
 * every second step. Each update is a program; their networks share a store.
 *
 * @module
 */
import { Program } from "../gpu/program.ts";
import type { Graph } from "./graph.ts";

/** Metrics of one step by name, one number per replica. An update that did not run reports none. */
export type StepMetrics = Readonly<Record<string, readonly number[]>>;

/** The programs of a training step, created by {@linkcode Engine.compileStep}. */
export class TrainingStep {
  /** The graphs of the programs, in execution order. */
  readonly graphs: readonly Graph[];
  /** The programs, in execution order. */
  readonly programs: readonly Program[];

  /** Combines programs with the graphs they are compiled from. */
  constructor(graphs: readonly Graph[], programs: readonly Program[]) {
    this.graphs = graphs;
    this.programs = programs;
  }

  /** Number of dispatches of a step in which every program runs. */
  get dispatchesPerStep(): number {
    return sum(this.programs.map(({ dispatchesPerStep }) => dispatchesPerStep));
  }

  /** GPU memory of the programs and their store, in bytes. */
  get bytes(): number {
    return sum(this.programs.map(({ bytes }) => bytes)) + this.#commonBytes;
  }

  /** Planned GPU memory in bytes: arenas, the store and the metrics of a chunk. */
  get plannedBytes(): number {
    return sum(this.programs.map(({ plannedBytes }) => plannedBytes)) + this.#commonBytes;
  }

  /**
   * Submits steps `first` … `first + count − 1`, counted from 0, as one command buffer. Resolves
   * with the metrics of each step. In every step, the programs that are due run in order. The
   * result of a step depends only on its number and the state before it, so steps may be submitted
   * in chunks of any size and a run may resume at any step.
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

  /** Frees the programs' memory, but not that of a shared store. */
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

/**
 * Asserts that the graphs can form a step: they have one store, the same seeds and distinct metric
 * names.
 */
export function assertTogether(graphs: readonly Graph[]): void {
  const [first, ...others] = graphs;
  if (!first) throw new Error("compileStep: at least one graph is required");
  for (const { store, seeds } of others) {
    if (store !== first.store) throw new Error("compileStep: the graphs must share one store");
    if (seeds.join() !== first.seeds.join()) {
      throw new Error(`compileStep: seeds must agree, got ${first.seeds} and ${seeds}`);
    }
  }
  const names = graphs.flatMap(({ metrics }) => metrics.map(({ name }) => name));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new Error(`compileStep: "${twice}" is reported twice`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
