/**
 * Contents of the `watch` page: a description, which is sent as JSON, and one block of weights.
 *
 * @module
 */
import type { ActionBounds } from "../nn/host/action_bounds.ts";
import type { ActorFile } from "../nn/host/actor.ts";
import type { Profile } from "../envs/mujoco/mjcf.ts";
import type { Playable } from "./player.ts";

/** The description. */
export interface Content {
  /** Heading of the page. */
  readonly title: string;
  /** What was given to `watch`: the name of a run directory or of a policy file. */
  readonly name: string;
  /** Version of the program. */
  readonly version: string;
  /** Id of the built-in environment. */
  readonly environment: string;
  /** Its physics. */
  readonly profile: Profile;
  /** The seed that selects the episodes, as in `eval --seed`. */
  readonly seed: number;
  /** The policies that can be chosen, in groups. */
  readonly families: readonly Family[];
  /** All policies, to which the families refer by index. */
  readonly policies: readonly PackedPolicy[];
  /** Tensors of checkpoints and files, to which the policies refer by index. */
  readonly sources: readonly PackedTensors[];
}

/** Policies of one kind: a single one, or those of a sweep from cautious to greedy. */
export interface Family {
  /** Name of the policy, for example `SRPO, seed 3`. */
  readonly label: string;
  /** Name for `eval --policy`; null for a policy file. */
  readonly actor: string | null;
  /** Labels of the policies, for example `β = 0.1`; null if there is only one policy. */
  readonly values: readonly string[] | null;
  /** Indices of the policies, from the most cautious to the greediest. */
  readonly policies: readonly number[];
}

/** {@linkcode Playable} with indices of sources in place of tensors. */
export interface PackedPolicy {
  readonly policy: { readonly file: number } | {
    readonly algorithm: string;
    readonly actor: string;
    readonly checkpoints: Readonly<Record<string, number>>;
    readonly options: Readonly<Record<string, number>>;
    readonly bounds: ActionBounds | null;
  };
  readonly critic: { readonly algorithm: string; readonly checkpoint: number } | null;
}

/** Tensors whose elements lie in the block of weights. */
export interface PackedTensors {
  readonly source: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly type: keyof typeof arrayTypes;
    /** First byte, a multiple of 8. */
    readonly offset: number;
    /** Number of elements. */
    readonly length: number;
  }[];
}

/** Element types. */
export const arrayTypes = { float32: Float32Array, float64: Float64Array } as const;

/** Returns a policy of a description. */
export function unpack({ policies, sources }: Content, weights: ArrayBuffer, index: number) {
  const tensorsOf = (place: number): ActorFile => {
    const { source, metadata, tensors } = sources[place]!;
    return {
      source,
      metadata,
      tensors: new Map(tensors.map(({ name, shape, type, offset, length }) => [
        name,
        { shape, data: new arrayTypes[type](weights, offset, length) },
      ])),
    };
  };
  const { policy, critic } = policies[index]!;
  const playable: Playable = {
    policy: "file" in policy ? { file: tensorsOf(policy.file) } : {
      ...policy,
      checkpoints: Object.fromEntries(
        Object.entries(policy.checkpoints).map(([stage, place]) => [stage, tensorsOf(place)]),
      ),
    },
    critic: critic && { ...critic, checkpoint: tensorsOf(critic.checkpoint) },
  };
  return playable;
}
