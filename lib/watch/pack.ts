/**
 * Packs policies for the page of `watch`: only the tensors that policies and critics read, and
 * equal ones once.
 *
 * @module
 */
import { basename } from "node:path";
import { criticFrom, policyFrom } from "../algorithms/policy_parts.ts";
import type { ActorFile } from "../nn/host/actor.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
import { sha256 } from "../runs/checksum.ts";
import { arrayTypes, type PackedPolicy, type PackedTensors } from "./content.ts";
import type { Playable } from "./player.ts";

/** Offsets in the block of weights are multiples of this, so that every type is aligned. */
const alignment = 8;

/** Collects policies and their weights. */
export class Packer {
  /** The policies so far. */
  readonly policies: PackedPolicy[] = [];
  /** Their tensors. */
  readonly sources: PackedTensors[] = [];
  readonly #blocks: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  readonly #offsets = new Map<string, number>();
  #size = 0;

  /** Adds a policy and returns its index. */
  add({ policy, critic }: Playable): number {
    const used: Used[] = [];
    const watched = <T extends NamedTensors>(from: T): T => {
      const map = new Used(from);
      used.push(map);
      return { ...from, tensors: map };
    };
    const sourceOf = (of: NamedTensors) => {
      const map = used.find((map) => map === of.tensors);
      return this.#source(map?.from ?? of, map?.names ?? of.tensors.keys());
    };
    // An actor file has no tensors besides the actor's.
    const acting = "file" in policy ? policy : {
      ...policy,
      checkpoints: Object.fromEntries(
        Object.entries(policy.checkpoints).map(([stage, from]) => [stage, watched(from)]),
      ),
    };
    const judging = critic && { ...critic, checkpoint: watched(critic.checkpoint) };
    policyFrom(acting);
    if (judging !== null) criticFrom(judging);
    this.policies.push({
      policy: "file" in acting ? { file: sourceOf(acting.file) } : {
        ...acting,
        checkpoints: Object.fromEntries(
          Object.entries(acting.checkpoints).map(([stage, from]) => [stage, sourceOf(from)]),
        ),
      },
      critic: judging && { ...judging, checkpoint: sourceOf(judging.checkpoint) },
    });
    return this.policies.length - 1;
  }

  /** Returns the block of weights. */
  weights(): Uint8Array<ArrayBuffer> {
    const block = new Uint8Array(this.#size);
    for (const { offset, bytes } of this.#blocks) block.set(bytes, offset);
    return block;
  }

  #source(from: NamedTensors, names: Iterable<string>): number {
    const tensors = [...names].map((name) => {
      const { shape, data } = from.tensors.get(name)!;
      const type = (Object.keys(arrayTypes) as (keyof typeof arrayTypes)[])
        .find((type) => data instanceof arrayTypes[type]);
      if (type === undefined) throw new Error(`pack: tensor ${name} is not of floats`);
      const { buffer, byteOffset, byteLength } = data as Float32Array;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      return { name, shape, type, offset: this.#place(bytes), length: data.length };
    });
    const { metadata = {} } = from as Partial<ActorFile>;
    // Only the file's name: the page may be published.
    this.sources.push({ source: basename(from.source), metadata, tensors });
    return this.sources.length - 1;
  }

  #place(bytes: Uint8Array): number {
    const hash = sha256(bytes);
    const known = this.#offsets.get(hash);
    if (known !== undefined) return known;
    const offset = this.#size;
    this.#blocks.push({ offset, bytes });
    this.#offsets.set(hash, offset);
    this.#size += Math.ceil(bytes.length / alignment) * alignment;
    return offset;
  }
}

type Tensors = NamedTensors["tensors"];

/** Tensors that remember which of them were read. */
class Used extends Map<string, NonNullable<ReturnType<Tensors["get"]>>> {
  readonly from: NamedTensors;
  readonly names = new Set<string>();

  constructor(from: NamedTensors) {
    super(from.tensors);
    this.from = from;
  }

  override get(name: string) {
    const found = super.get(name);
    if (found !== undefined) this.names.add(name);
    return found;
  }
}
