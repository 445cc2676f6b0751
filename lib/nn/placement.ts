/**
 * Where a policy acts: on the GPU where it gains by that and there is one, otherwise on the processor.
 * A software GPU counts: with 32 candidates in 15 steps, Mesa's lavapipe on two cores took a sixth of
 * the processor's time with networks of 256 units, and between a third and two thirds with 64.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import type { VariantMemory } from "../autodiff/variants.ts";
import { UserError } from "../errors.ts";
import type { Target } from "../gpu/target.ts";
import type { Policy, RemotePolicy } from "./host/policy.ts";
import type { GraphActor } from "./graph_policy.ts";

/** A policy that may have a description for the GPU. */
export interface Placeable {
  /** The policy on the processor. */
  readonly policy: Policy;
  /** Describes it on a graph; null where that makes too much for one program. Absent where it gains nothing. */
  readonly describe?: () => Promise<GraphActor | null>;
}

/** A policy in its place. */
export interface Placed {
  /** The policy. */
  readonly policy: Policy | RemotePolicy;
  /** Name of the adapter that it acts on; null for the processor. */
  readonly adapter: string | null;
  /** Why it acts on the processor although it could on a GPU; null where that is not so. */
  readonly reason: string | null;
}

/** How the GPU is opened. */
export interface PlacementOptions {
  /** The kernel variants; by default the fastest, which are measured. */
  readonly target?: Target;
  /** Gives what these measurements are kept in; asked when the GPU is opened. */
  readonly memory?: () => Promise<VariantMemory>;
}

/** Puts policies in their places. Nothing of WebGPU is loaded before one gains by it. */
export class Placement implements AsyncDisposable {
  readonly #options: PlacementOptions;
  readonly #policies: AsyncDisposable[] = [];
  #engine: Promise<Engine | UserError> | undefined;

  /** A placement on this machine. */
  constructor(options: PlacementOptions = {}) {
    this.#options = options;
  }

  /** The policy where it acts fastest. It lives as long as the placement. */
  async place({ policy, describe }: Placeable): Promise<Placed> {
    if (describe === undefined) return { policy, adapter: null, reason: null };
    const engine = await (this.#engine ??= this.#open());
    if (engine instanceof UserError) return { policy, adapter: null, reason: engine.message };
    const actor = await describe();
    if (actor === null) {
      return {
        policy,
        adapter: null,
        reason: "so many candidates and steps are too much for one program",
      };
    }
    const { GraphPolicy } = await import("./graph_policy.ts");
    const onGpu = new GraphPolicy(engine, actor);
    this.#policies.push(onGpu);
    return { policy: onGpu, adapter: engine.gpu.adapter.name, reason: null };
  }

  async #open(): Promise<Engine | UserError> {
    const { Engine } = await import("../autodiff/engine.ts");
    const { target, memory } = this.#options;
    try {
      return await Engine.open(target, await memory?.());
    } catch (error) {
      // No adapter, or none that is right.
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  /** Frees the policies and gives the GPU back. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const policy of this.#policies) await policy[Symbol.asyncDispose]();
    const engine = await this.#engine;
    if (engine !== undefined && !(engine instanceof UserError)) engine.close();
  }
}
