/**
 * The reference fixtures: results of the official PyTorch code. They are in
 * `tests/fixtures/pytorch` or, with the environment variable `SRPO_FIXTURES`, in another directory
 * of the same form.
 *
 * @module
 */
import { decode, type SafeTensors } from "../../lib/runs/safetensors.ts";

/** A fixture file. */
export class Fixture {
  readonly file: SafeTensors;
  readonly name: string;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.file = decode(bytes, name);
  }

  has(name: string): boolean {
    return this.file.tensors.has(name);
  }

  names(prefix: string): string[] {
    return [...this.file.tensors.keys()].filter((name) => name.startsWith(prefix));
  }

  shape(name: string): readonly number[] {
    return this.#tensor(name).shape;
  }

  /** Returns the tensor's values. */
  get(name: string): Float64Array {
    return Float64Array.from(this.#tensor(name).data as ArrayLike<number>);
  }

  /** Returns the tensor's values as float32. */
  f32(name: string): Float32Array {
    return Float32Array.from(this.#tensor(name).data as ArrayLike<number>);
  }

  /** Returns entry `step` along the first axis as float32. */
  step(name: string, step: number): Float32Array {
    const { shape } = this.#tensor(name);
    const size = shape.slice(1).reduce((a, b) => a * b, 1);
    return this.f32(name).slice(step * size, (step + 1) * size);
  }

  metadata(name: string): string {
    const value = this.file.metadata[name];
    if (value === undefined) throw new Error(`${this.name}: no metadata "${name}"`);
    return value;
  }

  #tensor(name: string) {
    const tensor = this.file.tensors.get(name);
    if (!tensor) throw new Error(`${this.name}: no tensor "${name}"`);
    return tensor;
  }
}
