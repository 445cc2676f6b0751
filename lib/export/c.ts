/**
 * Writes an actor as a C99 header that allocates no memory.
 *
 * @module
 */
import type { Actor } from "../nn/host/actor.ts";
import { parityTolerance, parityVectors } from "./parity.ts";

/**
 * Returns a header with `policy_act(observation, action)` and the sizes as macros. It computes in
 * single precision. Compiled with `POLICY_CHECK` defined, it contains a `main` that compares four
 * parity vectors with this program's actions.
 */
export function cHeader(actor: Actor): string {
  const { network, normalization, bounds, description } = actor;
  const { layers } = network;
  const widest = Math.max(...network.sizes);
  const { observations, actions } = parityVectors(actor, 4);
  const constants = layers.map(({ weight, bias }, depth) =>
    array(`policy_weight_${depth}`, weight) + array(`policy_bias_${depth}`, bias)
  );
  if (normalization !== null) {
    constants.push(
      array("policy_mean", normalization.mean),
      array("policy_scale", normalization.scale),
    );
  }
  if (bounds !== null) {
    constants.push(array("policy_low", bounds.low), array("policy_high", bounds.high));
  }
  const steps = layers.map(({ inputs, outputs }, depth) => {
    const activation = depth === layers.length - 1 ? network.output : network.activation;
    const [from, to] = depth % 2 === 0 ? ["a", "b"] : ["b", "a"];
    return `  policy_linear(policy_weight_${depth}, policy_bias_${depth}, ${inputs}, ${outputs}, ${from}, ${to});
` + (activation === "none"
        ? ""
        : `  for (i = 0; i < ${outputs}; i++) ${to}[i] = ${activationText[activation](`${to}[i]`)};
`);
  });
  const result = layers.length % 2 === 0 ? "a" : "b";
  const input = normalization === null
    ? "observation[i]"
    : "(observation[i] - policy_mean[i]) / policy_scale[i]";
  const clip = normalization !== null && normalization.clip < Infinity
    ? `  for (i = 0; i < ${network.inputs}; i++) a[i] = ${
      clipText("a[i]", literal(normalization.clip))
    };
`
    : "";
  return `/* Actor exported by srpo-webgpu: ${description}.
 *
 * #include "this file", then: float action[POLICY_ACTION_SIZE]; policy_act(observation, action);
 * To check it: cc -std=c99 -DPOLICY_CHECK -x c this-file -lm -o check && ./check */
#ifndef SRPO_POLICY_H
#define SRPO_POLICY_H
#include <math.h>

#define POLICY_OBSERVATION_SIZE ${network.inputs}
#define POLICY_ACTION_SIZE ${network.outputs}

${constants.join("")}
/* y = weight x + bias, with weight [outputs][inputs]. */
static void policy_linear(const float *weight, const float *bias, int inputs, int outputs,
                          const float *x, float *y) {
  int i, o;
  for (o = 0; o < outputs; o++) {
    float sum = bias[o];
    for (i = 0; i < inputs; i++) sum += x[i] * weight[o * inputs + i];
    y[o] = sum;
  }
}

/* Computes the action for an observation. It allocates nothing and keeps no state. */
static void policy_act(const float observation[POLICY_OBSERVATION_SIZE],
                       float action[POLICY_ACTION_SIZE]) {
  float a[${widest}], b[${widest}];
  int i;
  for (i = 0; i < ${network.inputs}; i++) a[i] = ${input};
${clip}${steps.join("")}  for (i = 0; i < ${network.outputs}; i++) {
    action[i] = ${
    bounds === null
      ? `${result}[i]`
      : `policy_low[i] + (${result}[i] + 1.0f) / 2.0f * (policy_high[i] - policy_low[i])`
  };
  }
}

#ifdef POLICY_CHECK
#include <stdio.h>

${array("policy_check_observations", observations.flatMap((row) => Array.from(row)))}${
    array("policy_check_actions", actions.flatMap((row) => Array.from(row)))
  }
/* Compares actions with those of srpo-webgpu; relatively, if they are beyond 1. */
int main(void) {
  float action[POLICY_ACTION_SIZE];
  int different = 0, row, i;
  for (row = 0; row < ${observations.length}; row++) {
    policy_act(policy_check_observations + row * POLICY_OBSERVATION_SIZE, action);
    for (i = 0; i < POLICY_ACTION_SIZE; i++) {
      const float expected = policy_check_actions[row * POLICY_ACTION_SIZE + i];
      const float difference = fabsf(action[i] - expected) / fmaxf(1.0f, fabsf(expected));
      if (!(difference <= ${literal(parityTolerance)})) different++;
    }
  }
  printf("%d of %d entries differ\\n", different, ${observations.length} * POLICY_ACTION_SIZE);
  return different > 0;
}
#endif
#endif
`;
}

const activationText = {
  relu: (value: string) => `${value} < 0.0f ? 0.0f : ${value}`,
  tanh: (value: string) => `tanhf(${value})`,
  clip: (value: string) => clipText(value, "1.0f"),
};

/** Comparisons keep NaN, which fminf and fmaxf would turn into a limit. */
function clipText(value: string, limit: string): string {
  return `${value} < -${limit} ? -${limit} : ${value} > ${limit} ? ${limit} : ${value}`;
}

/** Returns the definition of a constant array, eight numbers per line. */
function array(name: string, values: ArrayLike<number>): string {
  const literals = Array.from(values, literal);
  const lines = Array.from(
    { length: Math.ceil(literals.length / 8) },
    (_, line) => "  " + literals.slice(8 * line, 8 * line + 8).join(", "),
  );
  return `static const float ${name}[${values.length}] = {\n${lines.join(",\n")}\n};\n`;
}

/** Returns a float literal. Nine digits identify a number in single precision. */
function literal(value: number): string {
  const digits = String(Number(Math.fround(value).toPrecision(9)));
  return (/[.e]/.test(digits) ? digits : `${digits}.0`) + "f";
}
