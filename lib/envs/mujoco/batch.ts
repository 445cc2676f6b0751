import { UserError } from "../../errors.ts";
import type {
  BatchStep,
  EnvironmentBatch,
  EnvironmentSpec,
  SimulatorState,
} from "../environment.ts";
import { RandomStream } from "../random.ts";
import type { ReferenceReturn } from "../scores.ts";
import { mjcf, type Profile } from "./mjcf.ts";
import { compile, type Model, mujoco, Simulation, simulationError } from "./simulation.ts";
import type { Episode, Task } from "./task.ts";

/** One environment of a batch. */
interface Slot {
  readonly simulation: Simulation;
  /** The latest episode; null before the first reset. */
  episode: Episode | null;
  /** The episode has neither ended nor diverged. */
  running: boolean;
  steps: number;
}

/** N environments of one task, simulated by MuJoCo in this process. They share one model. */
export class MujocoBatch implements EnvironmentBatch {
  /** Description shared by all environments of the batch. */
  readonly spec: EnvironmentSpec;
  readonly #task: Task;
  readonly #model: Model;
  readonly #slots: readonly Slot[];
  #closed = false;

  private constructor(spec: EnvironmentSpec, task: Task, model: Model, slots: readonly Slot[]) {
    this.spec = spec;
    this.#task = task;
    this.#model = model;
    this.#slots = slots;
  }

  /**
   * Creates `count` environments of a task. Free their memory with `close()`.
   *
   * @throws {UserError} The count is not a positive integer, or memory does not suffice.
   */
  static async create(
    task: Task,
    count: number,
    profile: Profile,
    id: string,
    reference: ReferenceReturn | null,
  ): Promise<MujocoBatch> {
    if (!Number.isInteger(count) || count < 1) {
      throw new UserError(`${id}: the number of environments must be 1 or more, got ${count}`);
    }
    const module = await mujoco();
    const model = compile(module, mjcf(task.robot, profile, task.memory));
    const slots: Slot[] = [];
    try {
      while (slots.length < count) {
        const simulation = new Simulation(module, model);
        slots.push({ simulation, episode: null, running: false, steps: 0 });
      }
    } catch (error) {
      for (const { simulation } of slots) simulation.delete();
      model.delete();
      throw new UserError(
        `${id}: MuJoCo's memory (2 GiB in total) holds only ${slots.length} of the ${count} ` +
          `requested environments (${
            error instanceof Error ? error.message : error
          }); request fewer`,
      );
    }
    const spec: EnvironmentSpec = {
      id,
      observationSize: task.observationSize,
      actionSize: task.actionSize,
      actionLow: Array.from({ length: task.actionSize }, () => -1),
      actionHigh: Array.from({ length: task.actionSize }, () => 1),
      maxEpisodeSteps: task.maxEpisodeSteps,
      referenceReturn: reference,
      versions: { mujoco: module.mj_versionString(), profile },
    };
    return new MujocoBatch(spec, task, model, slots);
  }

  /** The simulation of an environment, to draw its robot and to push it. */
  simulation(index: number): Simulation {
    return this.#select([index])[0]!.simulation;
  }

  /** Number of environments. */
  get count(): number {
    return this.#slots.length;
  }

  // deno-lint-ignore require-await
  async reset(seeds: readonly number[], indices?: readonly number[]): Promise<Float64Array> {
    const slots = this.#select(indices);
    if (seeds.length !== slots.length) {
      throw new UserError(
        `reset: needs one seed for each of the ${slots.length} environments, got ${seeds.length}`,
      );
    }
    const streams = seeds.map((seed) => new RandomStream(seed));
    slots.forEach((slot, i) => {
      slot.episode = this.#task.begin(slot.simulation, streams[i]!);
    });
    return this.#start(slots);
  }

  // deno-lint-ignore require-await
  async resetTo(
    qpos: Float64Array,
    qvel: Float64Array,
    indices?: readonly number[],
  ): Promise<Float64Array> {
    const slots = this.#select(indices);
    const { nq, nv } = this.#model;
    if (qpos.length !== slots.length * nq || qvel.length !== slots.length * nv) {
      throw new UserError(
        `resetTo: needs ${slots.length} × ${nq} positions and ${slots.length} × ${nv} velocities, ` +
          `got ${qpos.length} and ${qvel.length}`,
      );
    }
    if (!qpos.every(Number.isFinite) || !qvel.every(Number.isFinite)) {
      throw new UserError("resetTo: the positions and velocities must be finite");
    }
    slots.forEach((slot, i) => {
      const { simulation } = slot;
      slot.episode ??= this.#task.begin(simulation, new RandomStream(0));
      simulation.reset();
      simulation.qpos.set(qpos.subarray(i * nq, (i + 1) * nq));
      simulation.qvel.set(qvel.subarray(i * nv, (i + 1) * nv));
      simulation.forward();
    });
    return this.#start(slots);
  }

  /**
   * Steps the environments of `indices` (defaults to all) once.
   *
   * @param actions `[indices.length, actionSize]`, row-major, finite.
   * @throws {UserError} An action is not finite or an environment's episode has ended (then no
   * environment has moved); or a simulation diverged (then the others have moved and it needs a
   * reset).
   */
  // deno-lint-ignore require-await
  async step(actions: Float64Array, indices?: readonly number[]): Promise<BatchStep> {
    const slots = this.#select(indices);
    const name = (i: number) => indices?.[i] ?? i;
    const { actionSize, observationSize, maxEpisodeSteps } = this.#task;
    if (actions.length !== slots.length * actionSize) {
      throw new UserError(
        `step: needs ${slots.length} × ${actionSize} action entries, got ${actions.length}`,
      );
    }
    const badEntry = actions.findIndex((entry) => !Number.isFinite(entry));
    if (badEntry >= 0) {
      const index = name(Math.floor(badEntry / actionSize));
      throw new UserError(
        `step: the action of environment ${index} is not finite ` +
          `(entry ${badEntry % actionSize} is ${actions[badEntry]})`,
      );
    }
    const episodes = slots.map(({ episode, running }, i) => {
      if (episode !== null && running) return episode;
      const state = episode === null ? "has no episode yet" : "has finished its episode";
      throw new UserError(`step: environment ${name(i)} ${state}; reset it first`);
    });

    const observations = new Float64Array(slots.length * observationSize);
    const rewards = new Float64Array(slots.length);
    const terminated = new Uint8Array(slots.length);
    const truncated = new Uint8Array(slots.length);
    let failure: UserError | undefined;
    slots.forEach((slot, i) => {
      const episode = episodes[i]!;
      const outcome = episode.step(actions.subarray(i * actionSize, (i + 1) * actionSize));
      episode.observe(observations.subarray(i * observationSize, (i + 1) * observationSize));
      slot.steps++;
      rewards[i] = outcome.reward;
      terminated[i] = Number(outcome.terminated);
      truncated[i] = Number(!outcome.terminated && slot.steps >= maxEpisodeSteps);
      const ended = terminated[i] === 1 || truncated[i] === 1;
      slot.running = !ended;
      // Reading MuJoCo's warnings costs a fifth of a step. They are read when something looks wrong
      // and at the end of each episode, before its return can be used.
      if (ended || slot.simulation.diverged || !Number.isFinite(outcome.reward)) {
        const warnings = slot.simulation.warnings();
        if (!Number.isFinite(outcome.reward)) warnings.push(`reward is ${outcome.reward}`);
        if (warnings.length === 0) return;
        slot.running = false;
        failure ??= simulationError(name(i), warnings);
      }
    });
    if (failure !== undefined) throw failure;
    return { observations, rewards, terminated, truncated };
  }

  // deno-lint-ignore require-await
  async state(indices?: readonly number[]): Promise<SimulatorState> {
    const slots = this.#select(indices);
    const gather = (part: (simulation: Simulation) => Float64Array) =>
      Float64Array.from(slots.flatMap(({ simulation }) => [...part(simulation)]));
    const goals = slots.map(({ episode }) => episode?.goal ?? []).flat();
    return {
      qpos: gather((simulation) => simulation.qpos),
      qvel: gather((simulation) => simulation.qvel),
      ...(goals.length === 2 * slots.length && { goal: Float64Array.from(goals) }),
    };
  }

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { simulation } of this.#slots) simulation.delete();
    this.#model.delete();
  }

  #select(indices?: readonly number[]): readonly Slot[] {
    if (this.#closed) throw new UserError(`${this.spec.id}: these environments are closed`);
    if (indices === undefined) return this.#slots;
    if (new Set(indices).size !== indices.length) {
      throw new UserError(`environment indices must be distinct, got ${indices.join(", ")}`);
    }
    return indices.map((index) => {
      const slot = this.#slots[index];
      if (slot !== undefined) return slot;
      throw new UserError(`there is no environment ${index}, only 0 to ${this.#slots.length - 1}`);
    });
  }

  /** Marks the episodes of `slots` as running and returns their first observations. */
  #start(slots: readonly Slot[]): Float64Array {
    const size = this.#task.observationSize;
    const observations = new Float64Array(slots.length * size);
    slots.forEach((slot, i) => {
      slot.running = true;
      slot.steps = 0;
      slot.episode?.observe(observations.subarray(i * size, (i + 1) * size));
    });
    return observations;
  }
}
