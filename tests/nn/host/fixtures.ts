import { assert } from "@std/assert";
import type { NamedTensors } from "../../../lib/nn/host/tensors.ts";
import { decode } from "../../../lib/runs/safetensors.ts";
import { projectFile } from "../../data/files.ts";

/** Whether the test may locate and read the fixtures. */
export const mayReadFixtures: boolean = (["read", "env"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/**
 * A file of values computed by the official PyTorch code, with its initial weights under `init.`.
 */
export class Reference {
  readonly source: string;
  readonly #tensors: NamedTensors["tensors"];

  constructor(name: string) {
    const folder = Deno.env.get("SRPO_FIXTURES") ?? projectFile("tests/fixtures/pytorch");
    this.source = `${folder}/${name}.safetensors`;
    this.#tensors = decode(Deno.readFileSync(this.source), this.source).tensors;
  }

  get init(): NamedTensors {
    const initial = [...this.#tensors].filter(([name]) => name.startsWith("init."));
    const tensors = new Map(initial.map(([name, tensor]) => [name.slice("init.".length), tensor]));
    return { source: this.source, tensors };
  }

  /** Returns a whole tensor. */
  get(name: string): Float32Array {
    return this.#tensors.get(name)!.data as Float32Array;
  }

  /** Returns the first step of a tensor whose first axis is the step. */
  first(name: string): Float32Array {
    return this.get(name).subarray(0, this.get(name).length / this.#tensors.get(name)!.shape[0]!);
  }

  rows(name: string): number {
    return this.#tensors.get(name)!.shape[1]!;
  }
}

/** Asserts that no difference exceeds `relative` times the largest expected magnitude. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  what: string,
): void {
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    assert(
      difference <= relative * largest,
      `${what}: entry ${i} is ${actual[i]}, expected ${expected[i]} within ${relative * largest}`,
    );
  }
}
