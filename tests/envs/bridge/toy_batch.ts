import type {
  BatchStep,
  EnvironmentBatch,
  EnvironmentSpec,
} from "../../../lib/envs/environment.ts";
import type { MakeEnvironment } from "../../../lib/envs/bridge/session.ts";

/** The toy: a point with two coordinates, moved by the action; an episode ends after five steps. */
export const toySpec: EnvironmentSpec = {
  id: "toy",
  observationSize: 2,
  actionSize: 2,
  actionLow: [-1, -Infinity],
  actionHigh: [1, Infinity],
  maxEpisodeSteps: 5,
  referenceReturn: { min: -1, max: 2 },
  versions: { toy: "1" },
};

/** What a test wants of the toy, and what it sees of it. */
export interface ToyWorld {
  readonly make: MakeEnvironment;
  /** Batches made and not yet closed. */
  open: number;
  /** Awaited inside every step. */
  beforeStep: () => Promise<void>;
  /** Makes steps wait until `release`. The promise it gives resolves when one does. */
  hold(): Promise<void>;
  /** Lets waiting steps, and those to come, go on. */
  release(): void;
}

/** Toys whose making and closing is counted. */
export function toyWorld(): ToyWorld {
  let goOn = Promise.withResolvers<void>();
  const world: ToyWorld = {
    open: 0,
    beforeStep: () => Promise.resolve(),
    hold: () => {
      const waiting = Promise.withResolvers<void>();
      goOn = Promise.withResolvers();
      const { promise } = goOn;
      world.beforeStep = () => {
        waiting.resolve();
        return promise;
      };
      return waiting.promise;
    },
    release: () => {
      world.beforeStep = () => Promise.resolve();
      goOn.resolve();
    },
    make: (id, count) => {
      if (id !== "toy" && id !== "stateless") throw new Error(`no toy is called "${id}"`);
      world.open++;
      return Promise.resolve(new ToyBatch(world, count, id));
    },
  };
  return world;
}

class ToyBatch implements EnvironmentBatch {
  readonly spec: EnvironmentSpec;
  readonly count: number;
  readonly #world: ToyWorld;
  readonly #points: Float64Array;
  readonly #steps: number[];

  constructor(world: ToyWorld, count: number, id: string) {
    this.#world = world;
    this.spec = { ...toySpec, id };
    this.count = count;
    this.#points = new Float64Array(2 * count);
    this.#steps = Array.from({ length: count }, () => 0);
  }

  reset(seeds: readonly number[], indices: readonly number[] = []): Promise<Float64Array> {
    indices.forEach((i, k) => {
      this.#points.set([seeds[k]!, -seeds[k]!], 2 * i);
      this.#steps[i] = 0;
    });
    return Promise.resolve(this.#gather(indices));
  }

  resetTo(
    qpos: Float64Array,
    _qvel: Float64Array,
    indices: readonly number[] = [],
  ): Promise<Float64Array> {
    indices.forEach((i, k) => this.#points.set(qpos.subarray(2 * k, 2 * k + 2), 2 * i));
    return Promise.resolve(this.#gather(indices));
  }

  async step(actions: Float64Array, indices: readonly number[] = []): Promise<BatchStep> {
    await this.#world.beforeStep();
    indices.forEach((i, k) => {
      this.#points[2 * i]! += actions[2 * k]!;
      this.#points[2 * i + 1]! += actions[2 * k + 1]!;
      this.#steps[i]!++;
    });
    return {
      observations: this.#gather(indices),
      rewards: Float64Array.from(indices, (i) => i + 0.5),
      terminated: Uint8Array.from(indices, (i) => Number(this.#points[2 * i]! > 1e6)),
      truncated: Uint8Array.from(indices, (i) => Number(this.#steps[i]! >= 5)),
    };
  }

  state(
    indices: readonly number[] = [],
  ): Promise<{ qpos: Float64Array; qvel: Float64Array } | null> {
    if (this.spec.id === "stateless") return Promise.resolve(null);
    return Promise.resolve({
      qpos: this.#gather(indices),
      qvel: new Float64Array(indices.length).fill(0.25),
    });
  }

  close(): Promise<void> {
    this.#world.open--;
    return Promise.resolve();
  }

  #gather(indices: readonly number[]): Float64Array {
    return Float64Array.from(indices.flatMap((i) => [...this.#points.subarray(2 * i, 2 * i + 2)]));
  }
}
