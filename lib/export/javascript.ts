/**
 * Writes an actor as a JavaScript module without dependencies, for any engine since ECMAScript
 * 2020.
 *
 * @module
 */
import { encodeBase64 } from "./base64.ts";
import type { Actor } from "../nn/host/actor.ts";
import { parityTolerance, parityVectors } from "./parity.ts";

/**
 * Returns the source of a module that exports `act(observation)`, which returns the action,
 * `observationSize`, `actionSize` and `check()`, which compares the actions for four parity vectors
 * with those of this program. It computes like the actor here, to the last bit in the same engine:
 * sums in double precision, rounded to single precision after every layer.
 */
export function javascriptModule({ network, normalization, bounds, description }: Actor): string {
  const actor = { network, normalization, bounds, description, notes: [] };
  const { observations, actions } = parityVectors(actor, 4);
  const rows = (values: readonly ArrayLike<number>[]) =>
    values.map((row) => `    [${Array.from(row).join(", ")}],`).join("\n");
  const layers = network.layers.map(({ inputs, outputs, weight, bias }, depth) => {
    const activation = depth === network.layers.length - 1 ? network.output : network.activation;
    return `  {
    inputs: ${inputs},
    outputs: ${outputs},
    activation: ${JSON.stringify(activation)},
    weight: floats("${encodeBase64(weight)}"),
    bias: floats("${encodeBase64(bias)}"),
  },`;
  });
  const list = (values: ArrayLike<number>) => `[${Array.from(values).join(", ")}]`;
  return `// Actor exported by srpo-webgpu: ${description}.

/** Number of entries of an observation. */
export const observationSize = ${network.inputs};
/** Number of entries of an action. */
export const actionSize = ${network.outputs};

function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

// Each layer computes activation(weight x + bias), with weight [outputs, inputs] row-major.
const layers = [
${layers.join("\n")}
];
const activations = {
  relu: (value) => (value < 0 ? 0 : value),
  tanh: Math.tanh,
  clip: (value) => Math.max(-1, Math.min(1, value)),
  none: (value) => value,
};
${
    normalization === null ? "" : `
// Observations are normalized: clip((observation - mean) / scale).
const normalization = {
  mean: ${list(normalization.mean)},
  scale: ${list(normalization.scale)},
  clip: ${normalization.clip},
};
function normalized(observation) {
  const { mean, scale, clip } = normalization;
  return Float32Array.from(observation, (value, i) =>
    Math.max(-clip, Math.min(clip, (value - mean[i]) / scale[i])));
}
`
  }${
    bounds === null ? "" : `
// Actions are scaled from [-1, 1] to these bounds.
const low = ${list(bounds.low)};
const high = ${list(bounds.high)};
`
  }
/**
 * Returns the action for an observation.
 *
 * @param {ArrayLike<number>} observation ${network.inputs} numbers.
 * @returns {number[]} ${network.outputs} numbers.
 */
export function act(observation) {
  if (observation.length !== observationSize) {
    throw new RangeError(\`expected \${observationSize} numbers, got \${observation.length}\`);
  }
  let values = ${
    normalization === null ? "Float32Array.from(observation)" : "normalized(observation)"
  };
  for (const { inputs, outputs, activation, weight, bias } of layers) {
    const next = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += values[i] * weight[o * inputs + i];
      next[o] = sum;
      next[o] = activations[activation](next[o]);
    }
    values = next;
  }
  return ${
    bounds === null
      ? "Array.from(values)"
      : "Array.from(values, (value, i) => low[i] + (value + 1) / 2 * (high[i] - low[i]))"
  };
}

/** Observations, and the actions that srpo-webgpu computes for them. */
export const parity = {
  observations: [
${rows(observations)}
  ],
  actions: [
${rows(actions)}
  ],
};

/**
 * Compares act() with the parity vectors. Throws if an action differs by more than
 * ${parityTolerance}.
 */
export function check() {
  parity.observations.forEach((observation, row) => {
    act(observation).forEach((value, i) => {
      const expected = parity.actions[row][i];
      if (!(Math.abs(value - expected) <= ${parityTolerance} * Math.max(1, Math.abs(expected)))) {
        throw new Error(\`observation \${row}, entry \${i}: expected \${expected}, got \${value}\`);
      }
    });
  });
}
`;
}
