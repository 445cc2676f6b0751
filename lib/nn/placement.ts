/**
 * Selects the device of a policy: the GPU if the policy runs faster there and a GPU is available,
 * otherwise the CPU. A software GPU is used too. With 32 candidates and 15 steps, Mesa's lavapipe
 * on two cores took a sixth of the CPU's time for networks of 256 units, and between a third and
 * two thirds of it for 64 units.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import type { VariantMemory } from "../autodiff/variants.ts";
import { UserError } from "../errors.ts";
import type { Target } from "../gpu/target.ts";
import type { Policy, RemotePolicy } from "./host/policy.ts";
import type { GraphActor } from "./graph_policy.ts";

/**
 * FLOPs per action below which a policy stays on the CPU. An answer of the GPU takes Deno at least
 * 11 ms, in which the CPU computes several such actions.
 */
const fewFlops = 5e6;

/** A policy with an optional description for the GPU. */
export interface Placeable {
  /** The policy on the CPU. */
  readonly policy: Policy;
  /**
   * Describes the policy in a graph; null if it is too large for one program. Absent for policies
   * that are not faster on a GPU.
   */
  readonly describe?: () => Promise<GraphActor | null>;
}

/** A policy on its device. */
export interface Placed {
  /** The policy. */
  readonly policy: Policy | RemotePolicy;
  /** Name of the GPU adapter; null for the CPU. */
  readonly adapter: string | null;
  /** Why a policy that supports the GPU runs on the CPU; otherwise null. */
  readonly reason: string | null;
}

/** Options of {@linkcode Placement}. */
export interface PlacementOptions {
  /** The kernel variants. Defaults to the fastest ones, as measured. */
  readonly target?: Target;
  /** Returns the store of these measurements. Called when the GPU is opened. */
  readonly memory?: () => Promise<VariantMemory>;
}

/** Places policies on devices. WebGPU is loaded only when a policy needs it. */
export class Placement implements AsyncDisposable {
  readonly #options: PlacementOptions;
  readonly #policies: AsyncDisposable[] = [];
  #engine: Promise<Engine | UserError> | undefined;

  /** Creates a placement for this machine. The GPU is opened when first needed. */
  constructor(options: PlacementOptions = {}) {
    this.#options = options;
  }

  /** Returns the policy on its fastest device. It is valid until the placement is disposed. */
  async place({ policy, describe }: Placeable): Promise<Placed> {
    if (describe === undefined || (policy.flops ?? Infinity) < fewFlops) {
      return { policy, adapter: null, reason: null };
    }
    const engine = await (this.#engine ??= this.#open());
    if (engine instanceof UserError) return { policy, adapter: null, reason: engine.message };
    const actor = await describe();
    if (actor === null) {
      return {
        policy,
        adapter: null,
        reason: "too many candidates or steps for one GPU program",
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
      // No adapter, or none that computes correctly.
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  /** Frees the policies and closes the GPU. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const policy of this.#policies) await policy[Symbol.asyncDispose]();
    } finally {
      // place() has thrown what went wrong when the GPU was opened.
      const engine = await this.#engine?.catch(() => undefined);
      if (engine !== undefined && !(engine instanceof UserError)) engine.close();
    }
  }
}
