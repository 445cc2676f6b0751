/**
 * From what training left behind to policies that act on the processor.
 *
 * @module
 */
import { join } from "node:path";
import { candidatePolicy, networkPolicy, type Policy } from "../envs/policies.ts";
import { UserError } from "../errors.ts";
import { type ActorFile, readActor } from "../nn/host/actor.ts";
import { TwinQ } from "../nn/host/mlp.ts";
import { NoiseModel } from "../nn/host/noise_model.ts";
import { RunDirectory } from "./directory.ts";
import { decode } from "./safetensors.ts";

/**
 * Ways in which one trained run can act: `srpo` its final policy; `iql` the critic stage's
 * advantage-weighted policy; `idql` the best by Q of candidates from the behavior model.
 */
export const ways = ["srpo", "iql", "idql"] as const;

/** One of {@linkcode ways}. */
export type Way = (typeof ways)[number];

/** How `idql` draws its candidates. */
export interface CandidateSampling {
  /** Candidates for each observation. */
  readonly candidates: number;
  /** Steps of the diffusion sampler. */
  readonly steps: number;
}

/** Few enough to act in, and enough steps for a solver of second order. */
export const defaultSampling: CandidateSampling = { candidates: 32, steps: 15 };

/** A policy and where it is from. */
export interface TrainedPolicy {
  /** What acts. */
  readonly policy: Policy;
  /** The files that its weights are from. */
  readonly files: readonly string[];
  /** Its network in words, where the file itself describes it. */
  readonly network?: string;
  /** What was converted when it was loaded, a sentence each. */
  readonly notes: readonly string[];
}

/** A run, or a file with a single policy. */
export interface Trained {
  /** The task it was trained for: a run's, or what a file's metadata name; null where nothing says. */
  readonly task: string | null;
  /** The ways it can act by what it holds; empty for a file with a single policy. */
  readonly ways: readonly Way[];
  /**
   * Loads a policy.
   *
   * @param way One of {@linkcode ways}; null stands for a file's policy, or a run's final one.
   * @throws {UserError} A checkpoint is missing, or its tensors or metadata do not fit.
   */
  load(way: Way | null, sampling?: CandidateSampling): TrainedPolicy;
}

/**
 * Opens a run directory, the folder of one seed or variant in a run of several, or a safetensors file
 * with an actor as docs/policies.md describes it. A checkpoint's policy is found too.
 *
 * @throws {UserError} There is nothing at `path`, the directory is not a run's, or the file not
 * safetensors.
 */
export function openTrained(path: string): Trained {
  let isDirectory: boolean;
  try {
    ({ isDirectory } = Deno.statSync(path));
  } catch (error) {
    throw new UserError(
      `${path}: cannot be opened (${(error as Error).message}); ` +
        "expected a run directory or a .safetensors file with a policy",
    );
  }
  return isDirectory ? openRun(path) : openFile(path);
}

function openFile(path: string): Trained {
  const file = readFile(path);
  return {
    task: file.metadata["task"] ?? null,
    ways: [],
    load(way) {
      if (way !== null) {
        throw new UserError(
          `--policy ${way} is for run directories; ${path} is a file with a single policy`,
        );
      }
      const actor = readActor("stage" in file.metadata ? policyOf(file) : file);
      return {
        policy: networkPolicy(actor.network, actor.normalization),
        files: [path],
        network: actor.description,
        notes: actor.notes,
      };
    },
  };
}

function openRun(path: string): Trained {
  const run = new RunDirectory(path);
  const { task, seeds, sweep } = run.readConfig();
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
  const critic = run.checkpoint("critic");
  const behavior = run.checkpoint("behavior");
  // While the policy stage is under way, only its checkpoint is there.
  const final = isFile(run.policy) ? run.policy : run.checkpoint("policy");
  const needs: Record<Way, readonly string[]> = {
    srpo: [final],
    iql: [critic],
    idql: [behavior, critic],
  };
  const available = ways.filter((way) => needs[way].every(isFile));
  return {
    task,
    ways: available,
    load(way, { candidates, steps } = defaultSampling) {
      const chosen = way ?? "srpo";
      const missing = needs[chosen].find((file) => !isFile(file));
      if (missing !== undefined) {
        throw new UserError(
          `${path} has nothing to act with as ${chosen}: there is no ${missing}; ` + (
            available.length === 0
              ? "no stage of this run has a checkpoint yet"
              : `it can act with ${available.map((other) => `--policy ${other}`).join(", ")}`
          ),
        );
      }
      const files = needs[chosen];
      if (chosen !== "idql") {
        const { network, normalization, notes } = readActor(
          files[0] === run.policy ? readFile(run.policy) : policyOf(readFile(files[0]!)),
        );
        return { policy: networkPolicy(network, normalization), files, notes };
      }
      const model = new NoiseModel(readFile(behavior), "diffusion");
      const q = new TwinQ(readFile(critic), "q0_target", model.actionSize);
      return { policy: candidatePolicy(model, q, candidates, steps), files, notes: [] };
    },
  };
}

/**
 * The policy in a checkpoint of this program, beside which it holds other networks and the optimizer's
 * moments.
 */
function policyOf(checkpoint: ActorFile): ActorFile {
  const { stage: _stage, step: _step, ...metadata } = checkpoint.metadata;
  const own = [...checkpoint.tensors].filter(([name]) => /^(policy\.net|obs_rms)\./.test(name));
  return { ...checkpoint, tensors: new Map(own), metadata };
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
