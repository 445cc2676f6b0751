/**
 * Actors as safetensors files describe them, in tensors and metadata: docs/policies.md has the format.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import { activations, Mlp, outputActivations } from "./mlp.ts";
import { ObservationNormalization } from "./normalization.ts";
import { doubleVector, type NamedTensors } from "./tensors.ts";

/** A file's tensors with its metadata. */
export interface ActorFile extends NamedTensors {
  /** The file's `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A network that acts, and what comes before it. */
export interface Actor {
  /** From a normalised observation to an action. */
  readonly network: Mlp;
  /** What observations go through first; null where they go to the network as they are. */
  readonly normalization: ObservationNormalization | null;
  /** The network in words, for the user. */
  readonly description: string;
  /** What was converted, a sentence each. */
  readonly notes: readonly string[];
}

/** Metadata that describes the network. */
const networkKeys = ["activation", "output", "bias", "obs_epsilon", "obs_clip"] as const;
/** Metadata that says where an actor is from, which does not change what it computes. */
const provenanceKeys = [
  "algorithm",
  "data_sha256",
  "format",
  "published_return",
  "robot",
  "seed",
  "source",
  "task",
  "version",
] as const;

const mean = "obs_rms.mean";
const variance = "obs_rms.var";

/**
 * Reads an actor: `net.0.weight`, `net.0.bias`, `net.2.weight`, … (or all with `policy.` before), and
 * `obs_rms.mean` and `obs_rms.var` where observations are normalised. Metadata say what tensors cannot:
 * `activation` (`relu` unless given), `output` (`tanh` unless given), `bias` (`all` unless given),
 * `obs_epsilon` and `obs_clip`.
 *
 * @throws {UserError} A tensor is absent, has a wrong shape or type, or holds NaN or infinity; or the file
 * has tensors or metadata without a known meaning.
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

  const unused = [...tensors.keys()].filter((key) =>
    !key.startsWith(`${name}.`) && (normalization === null || ![mean, variance].includes(key))
  );
  if (unused.length > 0) {
    throw new UserError(
      `${source}: ${listed(unused)}: no known meaning in an actor, which has ${name}.0.weight, ` +
        `${name}.0.bias, ${name}.2.weight, …, ${mean} and ${variance}; ` +
        "remove what the actor does not need for acting (docs/policies.md)",
    );
  }

  const layers = network.sizes.length - 1;
  const words = [
    network.sizes.join("-"),
    ...(layers > 1 ? [`${activation} between`] : []),
    { tanh: "tanh at the end", clip: "clipped to [-1, 1]", none: "nothing at the end" }[output],
    ...(bias ? [] : ["no bias"]),
    ...(normalization === null ? [] : [
      "observations normalised" +
      (normalization.clip < Infinity
        ? ` and clipped to ${normalization.clip} standard deviations`
        : ""),
    ]),
  ];
  const notes = converted.length === 0
    ? []
    : [`float64 weights are converted to float32: ${listed(converted)}`];
  return { network, normalization, description: words.join(", "), notes };
}

function checkMetadata({ source, metadata }: ActorFile): void {
  const known: readonly string[] = [...networkKeys, ...provenanceKeys];
  const unknown = Object.keys(metadata).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new UserError(
      `${source}: metadata ${listed(unknown)}: no known meaning in an actor; ` +
        `known are ${known.join(", ")} (docs/policies.md)`,
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

/** The tensors, those of type float64 under `prefix` converted, and the names of the converted ones. */
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
        ? 'a positive number, or "none" where nothing is clipped'
        : "a number of 0 or more";
      throw new UserError(
        `${source}: observations are normalised by ${mean} and ${variance}, so metadata ${key} ` +
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

/** Names, of many only the first. */
function listed(names: readonly string[]): string {
  const shown = 8;
  return names.slice(0, shown).join(", ") +
    (names.length > shown ? ` and ${names.length - shown} more` : "");
}
