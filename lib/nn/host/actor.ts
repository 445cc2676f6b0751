/**
 * Actors read from the tensors and metadata of safetensors files. The format is in
 * docs/policies.md.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import { type ActionBounds, areBounds, boundsText } from "./action_bounds.ts";
import { activations, Mlp, outputActivations } from "./mlp.ts";
import { ObservationNormalization } from "./normalization.ts";
import { doubleVector, type NamedTensors } from "./tensors.ts";

/** A file's tensors with its metadata. */
export interface ActorFile extends NamedTensors {
  /** The file's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** An actor network and the normalization of its observations. */
export interface Actor {
  /** Maps a normalized observation to an action. */
  readonly network: Mlp;
  /** Normalization of the observations; null for none. */
  readonly normalization: ObservationNormalization | null;
  /** Range that its actions are scaled to; null if they stay within [−1, 1]. */
  readonly bounds: ActionBounds | null;
  /** Readable description of the network, for the user. */
  readonly description: string;
  /** Conversions made while reading, one sentence each. */
  readonly notes: readonly string[];
}

/** Metadata keys that describe the network. */
const networkKeys = [
  "activation",
  "output",
  "bias",
  "obs_epsilon",
  "obs_clip",
  "action_low",
  "action_high",
] as const;
/** Metadata keys that record an actor's origin and do not affect its output. */
const provenanceKeys = [
  "algorithm",
  "data_sha256",
  "format",
  "published_return",
  "robot",
  "seed",
  "server",
  "source",
  "step",
  "task",
  "variant",
  "version",
] as const;

const mean = "obs_rms.mean";
const variance = "obs_rms.var";

/**
 * Reads an actor from the tensors `net.0.weight`, `net.0.bias`, `net.2.weight`, … (optionally
 * prefixed with `policy.`), and `obs_rms.mean` and `obs_rms.var` if observations are normalized.
 * The metadata keys are `activation` (defaults to `relu`), `output` (defaults to `tanh`), `bias`
 * (defaults to `all`), `obs_epsilon` and `obs_clip`, `action_low` and `action_high`.
 *
 * @throws {UserError} A tensor is missing, has a wrong shape or type, or contains NaN or infinity;
 * or the file has unknown tensors or metadata.
 */
export function readActor(file: ActorFile): Actor {
  const { source } = file;
  checkMetadata(file);
  const activation = choice(file, "activation", activations, "relu");
  const output = choice(file, "output", outputActivations, "tanh");
  const bias = choice(file, "bias", ["all", "none"], "all") === "all";
  const name = file.tensors.has("policy.net.0.weight") ? "policy.net" : "net";
  const { tensors, converted } = inSinglePrecision(file, `${name}.`);
  const network = new Mlp({ source, tensors }, name, output, { activation, bias });
  const normalization = readNormalization(file, network.inputs);
  const bounds = readBounds(file, network.outputs);

  const unused = [...tensors.keys()].filter((key) =>
    !key.startsWith(`${name}.`) && (normalization === null || ![mean, variance].includes(key))
  );
  if (unused.length > 0) {
    throw new UserError(
      `${source}: ${listed(unused)}: unknown tensors for an actor, expected ${name}.0.weight, ` +
        `${name}.0.bias, ${name}.2.weight, …, ${mean} and ${variance}; ` +
        "remove tensors that are not needed to compute actions (docs/policies.md)",
    );
  }

  const layers = network.sizes.length - 1;
  const words = [
    network.sizes.join("-"),
    ...(layers > 1 ? [`${activation} hidden layers`] : []),
    { tanh: "tanh output", clip: "output clipped to [-1, 1]", none: "linear output" }[output],
    ...(bias ? [] : ["no bias"]),
    ...(normalization === null ? [] : [
      "observations normalized" +
      (normalization.clip < Infinity
        ? ` and clipped to ${normalization.clip} standard deviations`
        : ""),
    ]),
    ...(bounds === null ? [] : [`actions scaled to ${boundsText(bounds)}`]),
  ];
  const notes = converted.length === 0
    ? []
    : [`float64 weights were converted to float32: ${listed(converted)}`];
  return { network, normalization, bounds, description: words.join(", "), notes };
}

/**
 * The range of the actions, `action_low` and `action_high`: JSON lists with a number for each
 * entry.
 */
function readBounds({ source, metadata }: ActorFile, size: number): ActionBounds | null {
  const { action_low: low, action_high: high } = metadata;
  if (low === undefined && high === undefined) return null;
  const numbers = (text: string | undefined): number[] => {
    try {
      const list = JSON.parse(text!);
      if (
        Array.isArray(list) && list.length === size &&
        list.every((entry) => typeof entry === "number")
      ) return list;
    } catch {
      // Not JSON: refused below.
    }
    return [];
  };
  const bounds = { low: numbers(low), high: numbers(high) };
  if (areBounds(bounds)) return bounds;
  throw new UserError(
    `${source}: metadata action_low and action_high should be lists of ${size} numbers, each low ` +
      `below its high; they are ${low} and ${high}`,
  );
}

function checkMetadata({ source, metadata }: ActorFile): void {
  const known: readonly string[] = [...networkKeys, ...provenanceKeys];
  const unknown = Object.keys(metadata).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new UserError(
      `${source}: unknown actor metadata ${listed(unknown)}; ` +
        `known keys are ${known.join(", ")} (docs/policies.md)`,
    );
  }
}

function choice<T extends string>(
  { source, metadata }: ActorFile,
  key: (typeof networkKeys)[number],
  allowed: readonly T[],
  fallback: T,
): T {
  const given = metadata[key];
  if (given === undefined) return fallback;
  const found = allowed.find((value) => value === given);
  if (found === undefined) {
    throw new UserError(
      `${source}: metadata ${key} should be one of ${allowed.join(", ")}, it is "${given}"`,
    );
  }
  return found;
}

/**
 * Converts float64 tensors under `prefix` to float32. Returns all tensors and the converted names.
 */
function inSinglePrecision(
  { tensors }: ActorFile,
  prefix: string,
): { readonly tensors: NamedTensors["tensors"]; readonly converted: readonly string[] } {
  const converted: string[] = [];
  const entries = [...tensors].map(([name, { shape, data }]) => {
    if (!name.startsWith(prefix) || !(data instanceof Float64Array)) {
      return [name, { shape, data }] as const;
    }
    converted.push(name);
    return [name, { shape, data: Float32Array.from(data) }] as const;
  });
  return { tensors: new Map(entries), converted };
}

function readNormalization(file: ActorFile, inputs: number): ObservationNormalization | null {
  const { source, tensors, metadata } = file;
  if (!tensors.has(mean) && !tensors.has(variance)) {
    const key = (["obs_epsilon", "obs_clip"] as const).find((key) => key in metadata);
    if (key === undefined) return null;
    throw new UserError(
      `${source}: metadata ${key} needs the tensors ${mean} and ${variance}, which are absent`,
    );
  }
  const number = (key: "obs_epsilon" | "obs_clip", accepts: (value: number) => boolean) => {
    const given = metadata[key];
    const value = given === "none" && key === "obs_clip" ? Infinity : Number(given?.trim() || NaN);
    if (given === undefined || !accepts(value)) {
      const allowed = key === "obs_clip"
        ? 'a positive number, or "none" for no clipping'
        : "a number of 0 or more";
      throw new UserError(
        `${source}: observations are normalized by ${mean} and ${variance}, so metadata ${key} ` +
          `should be ${allowed}; it is ${given === undefined ? "absent" : `"${given}"`}`,
      );
    }
    return value;
  };
  const epsilon = number("obs_epsilon", (value) => value >= 0 && value < Infinity);
  const clip = number("obs_clip", (value) => value > 0);
  const variances = doubleVector(file, variance, inputs);
  const flat = variances.findIndex((value) => value < 0 || value + epsilon === 0);
  if (flat >= 0) {
    throw new UserError(
      `${source}: tensor ${variance} holds ${variances[flat]} at [${flat}], expected ` +
        `${epsilon === 0 ? "positive variances" : "variances of 0 or more"}`,
    );
  }
  return new ObservationNormalization(doubleVector(file, mean, inputs), variances, epsilon, clip);
}

/** Joins names, abbreviating a long list. */
function listed(names: readonly string[]): string {
  const shown = 8;
  return names.slice(0, shown).join(", ") +
    (names.length > shown ? ` and ${names.length - shown} more` : "");
}
