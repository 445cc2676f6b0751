import { assert, assertEquals, assertThrows } from "@std/assert";
import { networkPolicy } from "../../../lib/nn/host/policy.ts";
import { UserError } from "../../../lib/errors.ts";
import { type ActorFile, readActor } from "../../../lib/nn/host/actor.ts";
import type { SafeTensor } from "../../../lib/runs/safetensors.ts";
import { mlpTensors } from "./networks.ts";

const double = (...values: number[]): SafeTensor => ({
  dtype: "F64",
  shape: [values.length],
  data: Float64Array.from(values),
});

/** An actor with 3 observation and 2 action entries. */
function actorFile(
  metadata: Record<string, string> = {},
  change: (tensors: Map<string, SafeTensor>) => void = () => {},
): ActorFile {
  const tensors = mlpTensors("net", 3, 5, 2);
  change(tensors);
  return { source: "actor.safetensors", tensors, metadata };
}

const normalized = (tensors: Map<string, SafeTensor>) => {
  tensors.set("obs_rms.mean", double(1e6, -0.5, 0.25));
  tensors.set("obs_rms.var", double(4, 0, 1e-4));
};

const numbers = ({ tensors }: ActorFile, name: string) =>
  Array.from(tensors.get(name)!.data, Number);

/** Computes two layers with an activation between them, in double precision. */
function forward(file: ActorFile, input: number[], activation: (x: number) => number): number[] {
  const layer = (name: string, x: number[]) => {
    const weight = numbers(file, `${name}.weight`);
    const bias = numbers(file, `${name}.bias`);
    return bias.map((b, o) => x.reduce((sum, v, i) => sum + v * weight[o * x.length + i]!, b));
  };
  return layer("net.2", layer("net.0", input).map(activation));
}

function act(file: ActorFile, observation: number[]): Float64Array {
  const { network, normalization } = readActor(file);
  return networkPolicy(network, normalization).act(Float64Array.from(observation), []);
}

function assertNear(actual: ArrayLike<number>, expected: number[]) {
  assertEquals(actual.length, expected.length);
  expected.forEach((value, i) =>
    assert(Math.abs(actual[i]! - value) <= 1e-6, `entry ${i}: ${actual[i]}, expected ${value}`)
  );
}

Deno.test("readActor(): defaults to ReLU hidden layers and a tanh output", () => {
  const file = actorFile();
  const expected = forward(file, [1, -2, 0.5], (x) => Math.max(0, x)).map(Math.tanh);
  assertNear(act(file, [1, -2, 0.5]), expected);
});

Deno.test("readActor(): metadata select hidden and output activations", () => {
  const observation = [1, -2, 0.5];
  const linear = (file: ActorFile) => forward(file, observation, Math.tanh);
  const none = actorFile({ activation: "tanh", output: "none" });
  assertNear(act(none, observation), linear(none));
  const clip = actorFile({ activation: "tanh", output: "clip" }, (tensors) =>
    // Outputs on both sides of the range and inside it.
    tensors.set("net.2.bias", { dtype: "F32", shape: [2], data: Float32Array.of(2.5, -0.75) }));
  const unclipped = linear(clip);
  assert(unclipped[0]! > 1 && Math.abs(unclipped[1]!) < 1, `${unclipped}`);
  assertNear(act(clip, observation), [1, unclipped[1]!]);
});

Deno.test("readActor(): observations are normalized and clipped in double precision", () => {
  const file = actorFile(
    { activation: "tanh", output: "none", obs_epsilon: "1e-8", obs_clip: "5" },
    normalized,
  );
  // Float32 would lose the first entry; the second has no variance and the third is clipped.
  const observation = [1e6 + 0.013, -0.5 + 2e-4, -0.25];
  const expected = [0.013 / Math.sqrt(4 + 1e-8), 2, -5];
  const { normalization } = readActor(file);
  const output = new Float32Array(3);
  normalization!.apply(Float64Array.from(observation), output);
  assertNear(output, expected);
  assertNear(act(file, observation), forward(file, expected, Math.tanh));

  const open = actorFile({ obs_epsilon: "1e-8", obs_clip: "none" }, normalized);
  readActor(open).normalization!.apply(Float64Array.from(observation), output);
  assert(Math.abs(output[2]! + 0.5 / Math.sqrt(1e-4 + 1e-8)) < 1e-5);
});

Deno.test("readActor(): bias none reads layers without bias", () => {
  const file = actorFile({ bias: "none", output: "clip" }, (tensors) => {
    for (const name of [...tensors.keys()]) if (!name.startsWith("net.0.w")) tensors.delete(name);
  });
  const [weight, observation] = [numbers(file, "net.0.weight"), [0.1, -0.2, 0.3]];
  const expected = Array.from(
    { length: 5 },
    (_, o) => observation.reduce((sum, x, i) => sum + x * weight[3 * o + i]!, 0),
  );
  assertNear(act(file, observation), expected);
  assertEquals(readActor(file).description, "3-5, output clipped to [-1, 1], no bias");
});

Deno.test("readActor(): converts float64 weights and notes it", () => {
  const widen = (tensors: Map<string, SafeTensor>) => {
    for (const name of ["net.0.weight", "net.2.bias"]) {
      const { shape, data } = tensors.get(name)!;
      tensors.set(name, { dtype: "F64", shape, data: Float64Array.from(data as Float32Array) });
    }
  };
  const single = readActor(actorFile());
  const converted = readActor(actorFile({}, widen));
  assertEquals(single.notes, []);
  assertEquals(converted.notes, [
    "float64 weights were converted to float32: net.0.weight, net.2.bias",
  ]);
  const input = Float32Array.of(1, -2, 0.5);
  assertEquals(converted.network.forward(input, 1), single.network.forward(input, 1));
});

const refuses = (message: string, ...file: Parameters<typeof actorFile>) => {
  const error = assertThrows(() => readActor(actorFile(...file)), UserError);
  assert(error.message.startsWith(`actor.safetensors: ${message}`), error.message);
};

Deno.test("readActor(): rejects unknown tensors, naming them", () => {
  refuses("obs_rms.count, log_std: unknown tensors for an actor, expected net.0.weight,", {
    obs_epsilon: "1e-8",
    obs_clip: "10",
  }, (tensors) => {
    normalized(tensors);
    tensors.set("obs_rms.count", double(7));
    tensors.set("log_std", double(0, 0));
  });
  refuses(
    "unexpected tensor net.0.bias; found 2 linear layers net.0, net.2, … without bias",
    { bias: "none" },
  );
  refuses("expected a tensor net.2.bias of [2], found none", {}, (tensors) => {
    tensors.delete("net.2.bias");
  });
});

Deno.test("readActor(): rejects unknown metadata and accepts provenance", () => {
  const provenance = [
    "task",
    "algorithm",
    "data_sha256",
    "version",
    "seed",
    "variant",
    "format",
    "source",
    "robot",
  ];
  readActor(actorFile(Object.fromEntries(provenance.map((key) => [key, "x"]))));
  refuses("unknown actor metadata squash, use_sde; known keys are activation, output,", {
    squash: "1",
    use_sde: "1",
    format: "pt",
  });
  refuses('metadata activation should be one of relu, tanh, it is "gelu"', { activation: "gelu" });
  refuses('metadata output should be one of tanh, clip, none, it is "Tanh"', { output: "Tanh" });
  refuses('metadata bias should be one of all, none, it is "some"', { bias: "some" });
});

Deno.test("readActor(): rejects an incomplete or invalid normalization", () => {
  const complete = { obs_epsilon: "1e-8", obs_clip: "10" };
  refuses("metadata obs_epsilon needs the tensors obs_rms.mean and obs_rms.var", complete);
  const clip =
    "observations are normalized by obs_rms.mean and obs_rms.var, so metadata obs_clip " +
    'should be a positive number, or "none" for no clipping; it is ';
  refuses(clip + "absent", { obs_epsilon: "1e-8" }, normalized);
  refuses(clip + '"0"', { ...complete, obs_clip: "0" }, normalized);
  refuses(clip + '" "', { ...complete, obs_clip: " " }, normalized);
  refuses(
    "observations are normalized by obs_rms.mean and obs_rms.var, so metadata obs_epsilon should be " +
      'a number of 0 or more; it is "none"',
    { ...complete, obs_epsilon: "none" },
    normalized,
  );
  const withVariance = (variance: SafeTensor) => (tensors: Map<string, SafeTensor>) => {
    normalized(tensors);
    tensors.set("obs_rms.var", variance);
  };
  refuses(
    "tensor obs_rms.var holds -1 at [1], expected variances of 0 or more",
    complete,
    withVariance(double(1, -1, 1)),
  );
  refuses(
    "tensor obs_rms.var holds 0 at [2], expected positive variances",
    { ...complete, obs_epsilon: "0" },
    withVariance(double(1, 1, 0)),
  );
  refuses(
    "tensor obs_rms.var should be [3], it is [2]",
    complete,
    withVariance(double(1, 1)),
  );
  refuses("expected a tensor obs_rms.mean of [3], found none", complete, (tensors) => {
    normalized(tensors);
    tensors.delete("obs_rms.mean");
  });
});

Deno.test("readActor(): rejects NaN and infinity, naming file, tensor and position", () => {
  const at = (name: string, place: number, value: number) => (tensors: Map<string, SafeTensor>) => {
    normalized(tensors);
    (tensors.get(name)!.data as Float32Array)[place] = value;
  };
  const metadata = { obs_epsilon: "1e-8", obs_clip: "10" };
  refuses(
    "tensor net.2.weight holds NaN at [1, 3], expected finite numbers",
    metadata,
    at("net.2.weight", 8, NaN),
  );
  refuses("tensor net.0.bias holds -Infinity at [4]", metadata, at("net.0.bias", 4, -Infinity));
  refuses("tensor obs_rms.mean holds NaN at [2]", metadata, at("obs_rms.mean", 2, NaN));
});

Deno.test("readActor(): rejects action bounds that are no lists of numbers", () => {
  const bounds = (action_low: string, action_high = "[2, 5]") => ({ action_low, action_high });
  for (const low of ["-2", "[-2]", '["-2", "0"]', "[null, 0]", "[[-2], 0]", "[3, 0]", "["]) {
    refuses("metadata action_low and action_high should be lists of 2 numbers", bounds(low));
  }
  refuses("metadata action_low and action_high should be lists", { action_high: "[2, 5]" });
  assertEquals(readActor(actorFile(bounds("[-2, 0]"))).bounds, { low: [-2, 0], high: [2, 5] });
});
