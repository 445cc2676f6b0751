import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { Mlp, TwinQ } from "../../../lib/nn/host/mlp.ts";
import type { NamedTensors } from "../../../lib/nn/host/tensors.ts";
import { mlpTensors } from "./networks.ts";
import { assertClose, mayReadFixtures, Reference } from "./fixtures.ts";

/** Tolerance for forward values, as specified with the fixtures. */
const limit = 5e-5;

for (const config of ["loco", "ant"]) {
  Deno.test({
    name: `Mlp: the ${config} policy's actions match PyTorch to 5e-5`,
    ignore: !mayReadFixtures,
    fn() {
      const reference = new Reference(`policy-${config}-w16`);
      const policy = new Mlp(reference.init, "policy.net", "tanh");
      const actions = policy.forward(reference.first("batch.s"), reference.rows("batch.s"));
      assertClose(actions, reference.get("vds.step1.a"), limit, "a");
    },
  });

  Deno.test({
    name: `Mlp and TwinQ: the ${config} critic's values match PyTorch to 5e-5`,
    ignore: !mayReadFixtures,
    fn() {
      const reference = new Reference(`critic-${config}-w16`);
      const rows = reference.rows("batch.s");
      const [states, actions] = [reference.first("batch.s"), reference.first("batch.a")];
      const value = new Mlp(reference.init, "vf.v", "none");
      assertClose(value.forward(states, rows), reference.get("step1.v"), limit, "v");
      const actionSize = actions.length / rows;
      const input = Float32Array.from(
        Array.from({ length: rows }, (_, row) => [
          ...actions.subarray(row * actionSize, (row + 1) * actionSize),
          ...states.subarray(row * value.inputs, (row + 1) * value.inputs),
        ]).flat(),
      );
      for (const head of ["q1", "q2"]) {
        const q = new Mlp(reference.init, `q0.${head}`, "none");
        assertClose(q.forward(input, rows), reference.get(`step1.${head}`), limit, head);
      }
      const minimum = new Float32Array(rows);
      new TwinQ(reference.init, "q0_target", actionSize).minimum(states, actions, rows, minimum);
      assertClose(minimum, reference.get("step1.target_q"), limit, "target_q");
    },
  });
}

const network = (...sizes: number[]): NamedTensors => ({
  source: "policy.safetensors",
  tensors: mlpTensors("net", ...sizes),
});

Deno.test("Mlp: a row's output is bit-identical for any number of rows", () => {
  const mlp = new Mlp(network(5, 7, 9, 3), "net", "tanh");
  const rows = 11;
  const input = Float32Array.from({ length: 5 * rows }, (_, i) => Math.cos(i));
  const together = mlp.forward(input, rows).slice(0, 3 * rows);
  const alone = Array.from(
    { length: rows },
    (_, row) => [...mlp.forward(input.subarray(5 * row, 5 * row + 5), 1).subarray(0, 3)],
  );
  assertEquals([...together], alone.flat());
});

Deno.test("Mlp: reuses its output array unless the number of rows grows", () => {
  const mlp = new Mlp(network(2, 4, 1), "net", "none");
  const output = mlp.forward(new Float32Array(6), 3);
  assertStrictEquals(mlp.forward(new Float32Array(2), 1), output);
});

Deno.test("Mlp: rejects tensors that do not form a network, naming tensor and shapes", () => {
  const refuses = (change: (tensors: Map<string, unknown>) => void, message: string) => {
    const { source, tensors } = network(5, 7, 3);
    change(tensors as Map<string, unknown>);
    const error = assertThrows(() => new Mlp({ source, tensors }, "net", "tanh"), UserError);
    assertEquals(error.message, `policy.safetensors: ${message}`);
  };
  const data = new Float32Array(24);
  refuses(
    (tensors) => tensors.clear(),
    "expected a tensor net.0.weight of [any, any], found none",
  );
  refuses(
    (tensors) => tensors.delete("net.2.bias"),
    "expected a tensor net.2.bias of [3], found none",
  );
  refuses(
    (tensors) => tensors.set("net.2.weight", { shape: [3, 8], data }),
    "tensor net.2.weight should be [any, 7], it is [3, 8]",
  );
  refuses(
    (tensors) => tensors.set("net.2.weight", { shape: [1, 3, 7], data }),
    "tensor net.2.weight should be [any, 7], it is [1, 3, 7]",
  );
  refuses(
    (tensors) => tensors.set("net.0.bias", { shape: [7], data: new Float64Array(7) }),
    "tensor net.0.bias should be float32, it is a Float64Array",
  );
  refuses(
    (tensors) => tensors.set("net.6.weight", { shape: [3, 3], data }),
    "unexpected tensor net.6.weight; found 2 linear layers net.0, net.2, …, which alternate with " +
      "activations",
  );
});

Deno.test("TwinQ: rejects heads that do not fit each other or the actions", () => {
  const heads = (first: number[], second: number[]): NamedTensors => ({
    source: "critic.safetensors",
    tensors: new Map([...mlpTensors("q0.q1", ...first), ...mlpTensors("q0.q2", ...second)]),
  });
  assertEquals(new TwinQ(heads([14, 4, 1], [14, 4, 1]), "q0", 3).stateSize, 11);
  for (
    const [first, second] of [[[14, 4, 1], [13, 4, 1]], [[14, 4, 2], [14, 4, 1]], [[3, 1], [3, 1]]]
  ) {
    assertThrows(
      () => new TwinQ(heads(first!, second!), "q0", 3),
      UserError,
      "should both map an action of 3 entries and a state to 1 value",
    );
  }
});
