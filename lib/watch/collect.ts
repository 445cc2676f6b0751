/**
 * Finds the policies of a run or a policy file that `watch` shows.
 *
 * @module
 */
import { basename } from "node:path";
import type { Actor, Algorithm, Sweepable, Variant } from "../algorithms/algorithm.ts";
import { policyFrom, type PolicyParts } from "../algorithms/policy_parts.ts";
import { findAlgorithm } from "../algorithms/registry.ts";
import { environments } from "../envs/ids.ts";
import type { Profile } from "../envs/mujoco/mjcf.ts";
import { taskOf } from "../envs/tasks.ts";
import { UserError } from "../errors.ts";
import { RunDirectory } from "../runs/directory.ts";
import { type Replica, type ReplicaAxes, replicasOf, variantsOf } from "../runs/replicas.ts";
import { isRunDirectory, openTrained, type Trained } from "../runs/trained.ts";
import { version } from "../version.ts";
import type { Content, Family } from "./content.ts";
import { Packer } from "./pack.ts";

/** Policies and environment to show. */
export interface Choice {
  /** A run directory, the folder of one of its seeds or variants, or a policy file. */
  readonly path: string;
  /** Environment; null for the one of the run. */
  readonly environment: string | null;
  /** Physics; null for that of the environment's published results. */
  readonly profile: Profile | null;
  /** Names of actors; null for those that are one network. */
  readonly actors: readonly string[] | null;
  /** Selects the episodes, as in `eval --seed`. */
  readonly seed: number;
}

/** A description with its weights. */
export interface Packed {
  /** The description. */
  readonly content: Content;
  /** The weights. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/** A family whose policies have not been packed. */
interface Found extends Omit<Family, "policies"> {
  readonly members: readonly Trained[];
}

/**
 * Collects the policies.
 *
 * @throws {UserError} If the path is no run and no policy, has none of the given actors, belongs to
 * no built-in environment, or a policy does not fit the environment.
 */
export function collect(choice: Choice): Packed {
  const { path, profile, seed } = choice;
  const run = isRunDirectory(path) ? openAxes(path) : null;
  const found = run === null ? [single(path)] : familiesOf(run, choice.actors);
  if (run === null && choice.actors !== null) {
    throw new UserError(`--policy is only for runs; ${path} is a file with a single policy`);
  }
  const name = basename(Deno.realPathSync(path));
  const environment = choice.environment ?? found[0]!.members[0]!.task;
  checkEnvironment(path, environment);
  const packer = new Packer();
  const families = found.map(({ members, ...family }): Family => ({
    ...family,
    policies: members.map((trained) => {
      const policy = trained.parts(family.actor);
      checkFits(path, policy, environment);
      return packer.add({ policy, critic: trained.critic });
    }),
  }));
  const what = run === null ? found[0]!.label : run.algorithm.title;
  const { policies, sources } = packer;
  return {
    content: {
      title: `${what} on ${environment}`,
      name,
      version,
      environment,
      profile: profile ?? environments.get(environment)!.profile,
      seed,
      families,
      policies,
      sources,
    },
    weights: packer.weights(),
  };
}

function single(path: string): Found {
  const label = basename(path).replace(/\.safetensors$/, "");
  return { label, actor: null, values: null, members: [openTrained(path)] };
}

function openAxes(path: string): ReplicaAxes {
  const directory = new RunDirectory(path);
  const { algorithm: name, hyperparameters, seeds, sweep } = directory.readConfig();
  const algorithm = findAlgorithm(name);
  const h = hyperparameters as ReplicaAxes["hyperparameters"];
  const lists = sweep as Parameters<typeof variantsOf>[2] | undefined;
  const variants = lists === undefined ? [] : variantsOf(algorithm, h, lists);
  return { directory, algorithm, hyperparameters: h, seeds, variants };
}

/**
 * Returns the families of a run: by actor, then by seed, then by what is swept besides the slider.
 */
function familiesOf(axes: ReplicaAxes, names: readonly string[] | null): Found[] {
  const { algorithm, seeds, variants } = axes;
  const over = variants.length > 0 ? "variants" : "seeds";
  const replicas = replicasOf(axes, { over });
  const opened = new Map(replicas.map((replica) => [
    replica,
    openTrained(replica.directory.path),
  ]));
  const first = [...opened.values()][0]!;
  const slider = algorithm.sweeps.find(({ greedy, hyperparameter }) =>
    greedy !== undefined && distinct(variants, hyperparameter) > 1
  );
  return chosenActors(axes, first, names).flatMap((actor) =>
    seeds.flatMap((seed) => {
      const own = replicas.filter((replica) => replica.seed === seed);
      const label = (more: readonly string[]) =>
        [actor.title, ...(seeds.length > 1 ? [`seed ${seed}`] : []), ...more].join(", ");
      if (!variesWith(algorithm, actor)) {
        const members = [opened.get(own[0]!)!];
        return [{ label: label([]), actor: actor.name, values: null, members }];
      }
      const groups = Map.groupBy(own, (replica) => otherValues(axes, slider, replica));
      return [...groups].map(([others, members]): Found => {
        const sorted = slider === undefined ? members : fromCautious(slider, members);
        return {
          label: label(others === "" ? [] : [others]),
          actor: actor.name,
          values: slider === undefined || members.length === 1
            ? null
            : sorted.map((replica) => slider.text(valueIn(slider, replica))),
          members: sorted.map((replica) => opened.get(replica)!),
        };
      });
    })
  );
}

/** Returns the given actors, or those that are one network and so act fast in a browser. */
function chosenActors(
  { algorithm, directory }: ReplicaAxes,
  trained: Trained,
  names: readonly string[] | null,
): Actor[] {
  const { actors } = algorithm;
  if (names !== null) {
    return names.map((name) => {
      trained.parts(name); // refuses an actor that does not exist
      return actors.find((actor) => actor.name === name || actor.formerName === name)!;
    });
  }
  const present = actors.filter(({ name }) => trained.ways.includes(name));
  if (present.length === 0) {
    throw new UserError(
      `${directory.path} has no policy yet: no stage with a policy has a checkpoint`,
    );
  }
  const fast = present.filter(({ prefix }) => prefix !== undefined);
  return fast.length > 0 ? fast : present.slice(0, 1);
}

/** Whether the sweep's variants have an actor each, instead of sharing it. */
function variesWith({ stages }: Algorithm, { needs }: Actor): boolean {
  return stages.some(({ name, over }) => over === "variants" && needs.includes(name));
}

function distinct(variants: readonly Variant[], hyperparameter: string): number {
  return new Set(variants.map(({ hyperparameters }) => hyperparameters[hyperparameter])).size;
}

function valueIn({ hyperparameter }: Sweepable, { hyperparameters }: Replica) {
  return hyperparameters[hyperparameter] as number;
}

function fromCautious(slider: Sweepable, replicas: readonly Replica[]): Replica[] {
  const sign = slider.greedy === "high" ? 1 : -1;
  return replicas.toSorted((a, b) => sign * (valueIn(slider, a) - valueIn(slider, b)));
}

/** Returns the values of what is swept besides the slider, as a label. */
function otherValues(
  { algorithm, variants }: ReplicaAxes,
  slider: Sweepable | undefined,
  replica: Replica,
): string {
  return algorithm.sweeps.filter((swept) =>
    swept !== slider && distinct(variants, swept.hyperparameter) > 1
  ).map((swept) => swept.text(valueIn(swept, replica))).join(", ");
}

function checkEnvironment(path: string, id: string | null): asserts id is string {
  if (id === null) {
    throw new UserError(
      `${path} does not name the environment it was trained for; give it with --task`,
    );
  }
  if (environments.has(id)) return;
  throw new UserError(
    `${path}: "${id}" does not run in a browser; watch shows the built-in environments ` +
      "(hopper, walker2d, halfcheetah, ant, antmaze and maze2d), which --task selects",
  );
}

function checkFits(path: string, parts: PolicyParts, id: string): void {
  const policy = policyFrom(parts);
  const task = taskOf(id);
  if (
    policy.observationSize === task.observationSize && policy.actionSize === task.actionSize
  ) return;
  throw new UserError(
    `${path}: the policy takes ${policy.observationSize} observation entries and returns ` +
      `${policy.actionSize} action entries, but ${id} has ${task.observationSize} and ` +
      `${task.actionSize}; give the task that it was trained for with --task`,
  );
}
