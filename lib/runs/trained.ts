/**
 * From what training left behind to policies that act on the processor.
 *
 * @module
 */
import { join } from "node:path";
import type { Actor, Algorithm } from "../algorithms/algorithm.ts";
import type { ActionBounds } from "../nn/host/action_bounds.ts";
import type { Placeable } from "../nn/placement.ts";
import { networkPolicy } from "../nn/host/policy.ts";
import { algorithms, findAlgorithm } from "../algorithms/registry.ts";
import { UserError } from "../errors.ts";
import { type ActorFile, readActor } from "../nn/host/actor.ts";
import { withoutPrefix } from "./checkpoint.ts";
import { RunDirectory } from "./directory.ts";
import { ownTaskOf } from "./run_task.ts";
import { decode } from "./safetensors.ts";

/** A policy and where it is from. */
export interface TrainedPolicy extends Placeable {
  /** Range that its actions are to be scaled to; null where they stay within [−1, 1]. */
  readonly actionBounds: ActionBounds | null;
  /** Name of the actor; null for a file's single policy. */
  readonly way: string | null;
  /** The files that its weights are from. */
  readonly files: readonly string[];
  /** Its network in words, where the file itself describes it. */
  readonly network?: string;
  /** What was converted when it was loaded, and how it differs from what was published, a sentence each. */
  readonly notes: readonly string[];
}

/** A run, or a file with a single policy. */
export interface Trained {
  /** The task it was trained for: a run's, or what a file's metadata name; null where nothing says. */
  readonly task: string | null;
  /** Server that has its environment, where it is a task of one's own. */
  readonly server: string | null;
  /** Names of the actors it has all files of; empty for a file with a single policy. */
  readonly ways: readonly string[];
  /**
   * Loads a policy.
   *
   * @param way Name of one of the algorithm's actors; null, the default, stands for a file's policy, or
   * the actor that a run was trained for.
   * @param options Values of the actor's options; absent ones are its own.
   * @throws {UserError} The algorithm has no such actor, a checkpoint is missing, or its tensors or
   * metadata do not fit.
   */
  load(
    way?: string | null,
    options?: Readonly<Record<string, number | undefined>>,
  ): TrainedPolicy;
}

/**
 * Opens a run directory, the folder of one seed or variant in a run of several, or a safetensors file
 * with an actor as docs/policies.md describes it. A checkpoint's policy is found too.
 *
 * @param known The algorithms that a run may be of.
 * @throws {UserError} There is nothing at `path`, the directory is not a run's, or the file not
 * safetensors.
 */
export function openTrained(
  path: string,
  known: ReadonlyMap<string, Algorithm> = algorithms,
): Trained {
  let isDirectory: boolean;
  try {
    ({ isDirectory } = Deno.statSync(path));
  } catch (error) {
    throw new UserError(
      `${path}: cannot be opened (${(error as Error).message}); ` +
        "expected a run directory or a .safetensors file with a policy",
    );
  }
  return isDirectory ? openRun(path, known) : openFile(path, known);
}

function openFile(path: string, known: ReadonlyMap<string, Algorithm>): Trained {
  const file = readFile(path);
  return {
    task: file.metadata["task"] ?? null,
    server: file.metadata["server"] ?? null,
    ways: [],
    load(way = null) {
      if (way !== null) {
        throw new UserError(
          `--policy ${way} is for run directories; ${path} is a file with a single policy`,
        );
      }
      return actorFile(policyOf(file, known));
    },
  };
}

function openRun(path: string, known: ReadonlyMap<string, Algorithm>): Trained {
  const run = new RunDirectory(path);
  const config = run.readConfig();
  const { task, seeds, sweep, algorithm: name } = config;
  const own = ownTaskOf(config);
  const algorithm = findAlgorithm(name, known);
  if (seeds.length > 1 || sweep !== undefined) {
    // The variants of a sweep are told by their folders.
    const folders = [...Deno.readDirSync(path)].map(({ name }) => name)
      .filter((name) => name.startsWith(`seed-${seeds[0]}-`)).sort();
    const example = join(path, folders[0] ?? `seed-${seeds[0]}`);
    throw new UserError(
      `${path} holds ${sweep ? "a sweep" : `${seeds.length} seeds`}; ` +
        `name the folder of one, for example ${example}`,
    );
  }
  const { actors } = algorithm;
  const needs = (actor: Actor) =>
    actor.needs.map((stage) => {
      // While the stage is under way, only its checkpoint is there.
      const alone = actor === actors[0] && actor.prefix !== undefined && isFile(run.policy);
      return alone ? run.policy : run.checkpoint(stage);
    });
  const ways = actors.filter((actor) => needs(actor).every(isFile)).map(({ name }) => name);
  return {
    task: own === null ? task : own.environment?.id ?? null,
    server: own?.environment?.server ?? null,
    ways,
    load(way = null, options = {}) {
      const chosen = way === null
        ? actors[0]!
        : actors.find(({ name, formerName }) => name === way || formerName === way);
      if (chosen === undefined) {
        throw new UserError(
          `a run of ${algorithm.name} does not act as ${way}; it acts as ` +
            actors.map(({ name }) => name).join(", "),
        );
      }
      const files = needs(chosen);
      const missing = files.find((file) => !isFile(file));
      if (missing !== undefined) {
        throw new UserError(
          `${path} has nothing to act with as ${chosen.name}: there is no ${missing}; ` + (
            ways.length === 0
              ? "no stage of this run has a checkpoint yet"
              : `it can act with ${ways.map((other) => `--policy ${other}`).join(", ")}`
          ),
        );
      }
      if (files[0] === run.policy) return { ...actorFile(readFile(run.policy)), way: chosen.name };
      const checkpoints = Object.fromEntries(
        chosen.needs.map((stage, i) => [stage, readFile(files[i]!)]),
      );
      const values = optionsOf(chosen, options);
      return {
        policy: chosen.act(checkpoints, values),
        ...(chosen.describe && { describe: () => chosen.describe!(checkpoints, values) }),
        actionBounds: own?.actionBounds ?? null,
        way: chosen.name,
        files,
        notes: chosen.published === undefined ? [] : [chosen.published],
      };
    },
  };
}

/** All options of an actor: those given, and its own for the others. */
export function optionsOf(
  { options }: Actor,
  given: Readonly<Record<string, number | undefined>> = {},
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { fallback }]) => [name, given[name] ?? fallback]),
  );
}

/** The policy of a file with a single actor. */
function actorFile(file: ActorFile): TrainedPolicy {
  const { network, normalization, bounds, description, notes } = readActor(file);
  return {
    policy: networkPolicy(network, normalization),
    actionBounds: bounds,
    way: null,
    files: [file.source],
    network: description,
    notes,
  };
}

/**
 * The policy in a file: all of it, or in a checkpoint of this program what its stage's actor is, beside
 * which lie other networks and the optimizer's moments.
 */
function policyOf(file: ActorFile, known: ReadonlyMap<string, Algorithm>): ActorFile {
  const { stage, algorithm } = file.metadata;
  if (stage === undefined) return file;
  const actor = findAlgorithm(algorithm, known).actors
    .find(({ needs, prefix }) => needs.includes(stage) && prefix !== undefined);
  const tensors = actor ? withoutPrefix(file.tensors, actor.prefix!) : new Map();
  return { ...file, tensors, metadata: { ...actor?.metadata } };
}

function readFile(path: string): ActorFile {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new UserError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  return { source: path, ...decode(bytes, path) };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new UserError(`${path}: cannot be looked at: ${(error as Error).message}`);
  }
}
