/**
 * Loads policies from run directories and policy files.
 *
 * @module
 */
import { join } from "node:path";
import type { Actor, Algorithm } from "../algorithms/algorithm.ts";
import type { CriticParts, PolicyParts } from "../algorithms/policy_parts.ts";
import type { ActionBounds } from "../nn/host/action_bounds.ts";
import type { Placeable } from "../nn/placement.ts";
import { networkPolicy } from "../nn/host/policy.ts";
import { algorithms, findAlgorithm } from "../algorithms/registry.ts";
import { UserError } from "../errors.ts";
import { isFile } from "../files.ts";
import { type ActorFile, readActor } from "../nn/host/actor.ts";
import type { HyperparameterValues } from "../algorithms/hyperparameters.ts";
import { assertFingerprint, withoutPrefix } from "./checkpoint.ts";
import type { RunConfig } from "./config.ts";
import { RunDirectory } from "./directory.ts";
import { stageOf } from "./replicas.ts";
import { ownProvenance, ownTaskOf } from "./run_task.ts";
import { decode } from "./safetensors.ts";
import { stageFingerprint } from "./stage_cache.ts";
import { originOf } from "./stage_reuse.ts";

/** A policy and its origin. */
export interface TrainedPolicy extends Placeable {
  /** Range to which its actions must be scaled; null if they stay within [−1, 1]. */
  readonly actionBounds: ActionBounds | null;
  /** Name of the actor; null for the policy of a file. */
  readonly way: string | null;
  /** Column of the SRPO paper's Table 1 with scores of this kind of policy; absent if none. */
  readonly column?: string;
  /** The files with its weights. */
  readonly files: readonly string[];
  /** Description of its network, if it comes from a policy file. */
  readonly network?: string;
  /** Sentences about conversions at loading and differences from the published method. */
  readonly notes: readonly string[];
}

/** A run, or a file with a single policy. */
export interface Trained {
  /** The task of the run, or the one in the file's metadata; null if unknown. */
  readonly task: string | null;
  /** Server of the environment of a custom task; null if unknown. */
  readonly server: string | null;
  /** Names of the actors whose files all exist; empty for a file with a single policy. */
  readonly ways: readonly string[];
  /** Names of the options that at least one of these actors has. */
  readonly options: readonly string[];
  /**
   * Loads a policy.
   *
   * @param way Name of one of the algorithm's actors. Null, the default, selects the
   * policy of a file, or the first actor of a run's algorithm.
   * @param options Values of the actor's options. Each defaults to the actor's own value.
   * @throws {UserError} If the algorithm has no such actor, a checkpoint is missing, or its tensors
   * or metadata are invalid.
   */
  load(
    way?: string | null,
    options?: Readonly<Record<string, number | undefined>>,
  ): TrainedPolicy;
  /**
   * Returns the tensors and metadata of an actor that is one network, as in a policy file
   * (docs/policies.md).
   *
   * @param way As for {@linkcode load}.
   * @throws {UserError} As {@linkcode load}, and if the actor is more than one network.
   */
  actorFile(way?: string | null): ActorFile;
  /**
   * Returns the networks and options of a policy.
   *
   * @throws {UserError} As {@linkcode load}.
   */
  parts(
    way?: string | null,
    options?: Readonly<Record<string, number | undefined>>,
  ): PolicyParts;
  /** What the critic is made of; null if there is none. */
  readonly critic: CriticParts | null;
}

/**
 * Opens a run directory, the folder of one seed or variant, a safetensors file with an actor
 * (docs/policies.md), or a checkpoint with a policy.
 *
 * @param known The known algorithms.
 * @throws {UserError} If `path` does not exist, the directory is not a run, or the file is not in
 * the safetensors format.
 */
export function openTrained(
  path: string,
  known: ReadonlyMap<string, Algorithm> = algorithms,
): Trained {
  return isRunDirectory(path) ? openRun(path, known) : openFile(path, known);
}

/**
 * Returns whether a path is a directory, which should be a run, instead of a policy file.
 *
 * @throws {UserError} If it does not exist.
 */
export function isRunDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(
        `${path}: no such file or folder; give a run directory (\`runs\` lists them) or a ` +
          ".safetensors file with a policy",
      );
    }
    throw new UserError(`${path}: cannot be opened (${(error as Error).message})`);
  }
}

function openFile(path: string, known: ReadonlyMap<string, Algorithm>): Trained {
  const file = readFile(path);
  const actorFile = (way: string | null = null) => {
    if (way !== null) {
      throw new UserError(
        `--policy ${way} is only for run directories; ${path} is a file with a single policy`,
      );
    }
    return policyOf(file, known);
  };
  return {
    task: file.metadata["task"] ?? null,
    server: file.metadata["server"] ?? null,
    ways: [],
    options: [],
    load: (way) => policyOfFile(actorFile(way)),
    actorFile,
    parts: (way) => ({ file: actorFile(way) }),
    critic: null,
  };
}

function openRun(path: string, known: ReadonlyMap<string, Algorithm>): Trained {
  const run = new RunDirectory(path);
  const config = run.readConfig();
  const { task, seeds, sweep, algorithm: name } = config;
  const own = ownTaskOf(config);
  const algorithm = findAlgorithm(name, known);
  if (seeds.length > 1 || sweep !== undefined) {
    // The folders show which variants a sweep has.
    const folders = [...Deno.readDirSync(path)].map(({ name }) => name)
      .filter((name) => name.startsWith(`seed-${seeds[0]}-`)).sort();
    const example = join(path, folders[0] ?? `seed-${seeds[0]}`);
    throw new UserError(
      `${path} holds ${sweep ? "a sweep" : `${seeds.length} seeds`}; ` +
        `give the folder of one, for example ${example}`,
    );
  }
  const { actors } = algorithm;
  let current: boolean | undefined;
  const needs = (actor: Actor) =>
    actor.needs.map((stage) => {
      const single = actor === actors[0] && actor.prefix !== undefined;
      const policy = single && (current ??= isCurrentPolicy(run, stage));
      return policy ? run.policy : run.checkpoint(stage);
    });
  /** A critic of the official code has no policy. */
  const hasNetwork = ({ prefix }: Actor, [file]: readonly string[]) =>
    prefix === undefined || file === run.policy ||
    [...readFile(file!).tensors.keys()].some((name) => name.startsWith(prefix));
  const ways = actors.filter((actor) => {
    const files = needs(actor);
    return files.every(isFile) && hasNetwork(actor, files);
  }).map(({ name }) => name);
  /** Returns an actor with its files, which all exist. */
  const choose = (way: string | null): { readonly chosen: Actor; readonly files: string[] } => {
    const chosen = way === null
      ? actors[0]!
      : actors.find(({ name, formerName }) => name === way || formerName === way);
    if (chosen === undefined) {
      throw new UserError(
        `a run of ${algorithm.name} has no policy ${way}; it has ` +
          actors.map(({ name }) => name).join(", "),
      );
    }
    const files = needs(chosen);
    const missing = files.find((file) => !isFile(file));
    if (missing !== undefined) {
      throw new UserError(
        `${path} has no policy ${chosen.name} yet: ${missing} does not exist; ` + (
          ways.length === 0
            ? "no stage of this run has a checkpoint yet"
            : `available: ${ways.map((other) => `--policy ${other}`).join(", ")}`
        ),
      );
    }
    return { chosen, files };
  };
  const checkpointsOf = ({ needs }: Actor) =>
    Object.fromEntries(
      needs.map((stage) => [stage, ownCheckpoint(run, config, algorithm, stage)]),
    );
  /** Describes the stages of an actor that are not finished. */
  const unfinished = ({ needs }: Actor, files: readonly ActorFile[]): string[] =>
    needs.flatMap((stage, i) => {
      // A checkpoint from elsewhere may have had other numbers of steps.
      if (!config.stages.includes(stage)) return [];
      const steps = Number(config.hyperparameters[stageOf(algorithm, stage).steps]);
      const step = Number(files[i]!.metadata["step"] ?? steps);
      return step < steps
        ? [`the ${stage} stage is not finished; its checkpoint is of step ${step} of ${steps}`]
        : [];
    });
  return {
    task: own === null ? task : own.environment?.id ?? null,
    server: own?.environment?.server ?? null,
    ways,
    options: actors.filter(({ name }) => ways.includes(name))
      .flatMap(({ options }) => Object.keys(options)),
    actorFile(way = null) {
      const { chosen, files } = choose(way);
      if (files[0] === run.policy) return ownPolicy(run, config);
      if (chosen.prefix === undefined) {
        const single = actors.filter(({ name, prefix }) =>
          prefix !== undefined && ways.includes(name)
        );
        throw new UserError(
          `the policy ${chosen.name} of ${path} is more than one network, so it has no actor file` +
            (single.length === 0
              ? ""
              : `; available: ${single.map(({ name }) => `--policy ${name}`).join(", ")}`),
        );
      }
      const file = ownCheckpoint(run, config, algorithm, chosen.needs[0]!);
      const tensors = withoutPrefix(file.tensors, chosen.prefix);
      const metadata = { ...chosen.metadata, ...ownProvenance({ own }) };
      return { ...file, tensors, metadata };
    },
    load(way = null, options = {}) {
      const { chosen, files } = choose(way);
      const column = chosen.column === undefined ? {} : { column: chosen.column };
      if (files[0] === run.policy) {
        const file = ownPolicy(run, config);
        const read = policyOfFile(file);
        const notes = [...read.notes, ...unfinished(chosen, [file])];
        return { ...read, way: chosen.name, ...column, notes };
      }
      const checkpoints = checkpointsOf(chosen);
      const values = optionsOf(chosen, options);
      return {
        policy: chosen.act(checkpoints, values),
        ...(chosen.describe && { describe: () => chosen.describe!(checkpoints, values) }),
        actionBounds: own?.actionBounds ?? null,
        way: chosen.name,
        ...column,
        files,
        notes: [
          ...(chosen.published === undefined ? [] : [chosen.published]),
          ...unfinished(chosen, chosen.needs.map((stage) => checkpoints[stage]!)),
        ],
      };
    },
    parts(way = null, options = {}) {
      const { chosen, files } = choose(way);
      if (files[0] === run.policy) return { file: ownPolicy(run, config) };
      return {
        algorithm: algorithm.name,
        actor: chosen.name,
        checkpoints: checkpointsOf(chosen),
        options: optionsOf(chosen, options),
        bounds: own?.actionBounds ?? null,
      };
    },
    get critic() {
      const stage = (algorithm.value ?? algorithm.actionValue)?.stage;
      if (stage === undefined || !isFile(run.checkpoint(stage))) return null;
      return {
        algorithm: algorithm.name,
        checkpoint: ownCheckpoint(run, config, algorithm, stage),
      };
    },
  };
}

/**
 * Returns whether the policy file and its stage's checkpoint are of the same step. The policy file
 * is written when the stage ends or is stopped; a process that resumes the stage writes
 * checkpoints, and may be killed.
 */
function isCurrentPolicy(run: RunDirectory, stage: string): boolean {
  const checkpoint = run.checkpoint(stage);
  return isFile(run.policy) &&
    (!isFile(checkpoint) ||
      readFile(run.policy).metadata["step"] === readFile(checkpoint).metadata["step"]);
}

/** Reads the policy file in the folder of one seed, and checks that it belongs there. */
function ownPolicy(run: RunDirectory, { seeds, data }: RunConfig): ActorFile {
  const file = readFile(run.policy);
  const { seed = String(seeds[0]), data_sha256 = data.sha256 } = file.metadata;
  const difference = seed !== String(seeds[0])
    ? `its seed is ${seed}, not ${seeds[0]}`
    : data_sha256 !== data.sha256
    ? `its data's SHA-256 is ${data_sha256}, not ${data.sha256}`
    : null;
  if (difference === null) return file;
  throw new UserError(
    `${run.policy} belongs to another run than the config.json beside it: ${difference}`,
  );
}

/** Reads a checkpoint in the folder of one seed, and checks that it belongs there. */
function ownCheckpoint(
  run: RunDirectory,
  { seeds, data, hyperparameters }: RunConfig,
  algorithm: Algorithm,
  stage: string,
): ActorFile {
  const path = run.checkpoint(stage);
  const file = readFile(path);
  const definition = stageOf(algorithm, stage);
  // Without the earlier checkpoints, one cannot know what a stage was trained from.
  if (definition.needs.every((each) => isFile(run.checkpoint(each)))) {
    const replica = {
      seed: seeds[0]!,
      variant: null,
      hyperparameters: hyperparameters as HyperparameterValues,
      directory: run,
    };
    const origin = originOf(algorithm, definition, replica);
    assertFingerprint(path, file, stageFingerprint(data.sha256, origin));
  }
  return file;
}

/** Returns all options of an actor: the given values, and defaults for the others. */
export function optionsOf(
  { options }: Actor,
  given: Readonly<Record<string, number | undefined>> = {},
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { fallback }]) => [name, given[name] ?? fallback]),
  );
}

/** Loads the policy of a file with a single actor. */
function policyOfFile(file: ActorFile): TrainedPolicy {
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
 * Returns the actor in a file. In a checkpoint of this program, it is the stage's actor, without
 * other networks and the optimizer's moments. In any other file, it is the whole file.
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
