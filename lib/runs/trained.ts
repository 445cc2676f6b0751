/**
 * From what training left behind to policies that act on the processor.
 *
 * @module
 */
import { join } from "node:path";
import { candidatePolicy, networkPolicy, type Policy } from "../envs/policies.ts";
import { UserError } from "../errors.ts";
import { Mlp, TwinQ } from "../nn/host/mlp.ts";
import { NoiseModel } from "../nn/host/noise_model.ts";
import type { NamedTensors } from "../nn/host/tensors.ts";
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
}

/** A run, or a file with a single policy. */
export interface Trained {
  /** The task it was trained for; null where nothing says. */
  readonly task: string | null;
  /** The ways it can act by what it holds; empty for a file with a single policy. */
  readonly ways: readonly Way[];
  /**
   * Loads a policy.
   *
   * @param way One of {@linkcode ways}; null stands for a file's policy, or a run's final one.
   * @throws {UserError} A checkpoint is missing, or its tensors do not fit.
   */
  load(way: Way | null, sampling?: CandidateSampling): TrainedPolicy;
}

/**
 * Opens a run directory, the folder of one seed or variant in a run of several, or a safetensors file
 * with an actor: `net.0.weight`, `net.0.bias`, `net.2.weight`, … with ReLU between and tanh at the end
 * (a checkpoint's `policy.net.*` will do).
 *
 * @throws {UserError} There is nothing at `path`, or the directory is not a run's.
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
  return {
    task: null,
    ways: [],
    load(way) {
      if (way !== null) {
        throw new UserError(
          `--policy ${way} is for run directories; ${path} is a file with a single policy`,
        );
      }
      return { policy: actor(readTensors(path)), files: [path] };
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
      if (chosen !== "idql") return { policy: actor(readTensors(files[0]!)), files };
      const model = new NoiseModel(readTensors(behavior), "diffusion");
      const q = new TwinQ(readTensors(critic), "q0_target", model.actionSize);
      return { policy: candidatePolicy(model, q, candidates, steps), files };
    },
  };
}

function actor(tensors: NamedTensors): Policy {
  const name = tensors.tensors.has("policy.net.0.weight") ? "policy.net" : "net";
  return networkPolicy(new Mlp(tensors, name, "tanh"));
}

function readTensors(path: string): NamedTensors {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    throw new UserError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  return { source: path, tensors: decode(bytes, path).tensors };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new UserError(`${path}: cannot be looked at: ${(error as Error).message}`);
  }
}
