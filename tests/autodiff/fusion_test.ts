import { assert, assertEquals, assertThrows } from "@std/assert";
import { Engine } from "../../lib/autodiff/engine.ts";
import { fuse } from "../../lib/autodiff/fusion.ts";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { registerOperation } from "../../lib/autodiff/operations.ts";
import { broadcast, sumColumns } from "../../lib/autodiff/ops/broadcast.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import {
  add,
  divide,
  entrywise,
  exp,
  multiply,
  scale,
  shift,
  silu,
} from "../../lib/autodiff/ops/entrywise.ts";
import { entrywiseFunctions } from "../../lib/autodiff/ops/entrywise_functions.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";

const namesOf = (graph: Graph, kept: readonly Tensor[] = []) =>
  fuse(graph.operations, kept).map(({ name }) => name as string);

Deno.test("fuse() joins a chain of entrywise operations, also if it branches and merges again", () => {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(2, 5);
  const h = shift(graph, scale(graph, x, 2), 1);
  exp(graph, h);
  assertEquals(namesOf(graph), ["entrywise chain"]);
  const other = new Graph({ seeds: [0] });
  const z = silu(other, other.input(2, 5));
  multiply(other, z, z);
  assertEquals(namesOf(other), ["entrywise chain"]);
});

Deno.test("fuse() stores tensors that others read, that are kept, and that are part of a concatenation", () => {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(2, 4);
  const h = exp(graph, x);
  const y = scale(graph, h, 2);
  assertEquals(namesOf(graph), ["entrywise chain"]);
  assertEquals(namesOf(graph, [h]), ["exp", "scale"]);
  sumColumns(graph, h);
  assertEquals(namesOf(graph), ["exp", "scale", "sum over columns"]);
  concatenate(graph, [y, exp(graph, y)]);
  assertEquals(namesOf(graph), ["exp", "scale", "sum over columns", "exp", "concatenate"]);
});

Deno.test("fuse() computes a broadcast operand only once", () => {
  const graph = new Graph({ seeds: [0] });
  const weight = exp(graph, graph.input(6, 1));
  multiply(graph, graph.input(6, 5), weight);
  broadcast(graph, exp(graph, graph.input(2, 5)), { replicas: 1, rows: 6, columns: 5 });
  assertEquals(namesOf(graph), ["exp", "multiply", "exp", "broadcast"]);
});

Deno.test("fuse() does not move a read past a write to the same tensor", () => {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(2, 4);
  const h = exp(graph, x);
  graph.record({
    name: registerOperation("test write"),
    inputs: [],
    reads: [],
    writes: [x],
    kernel: () => null,
    jobs: () => [],
  });
  scale(graph, h, 2);
  assertEquals(namesOf(graph), ["exp", "test write", "scale"]);
});

Deno.test("Engine.compile() runs a chain and its gradient in fewer dispatches than operations, with correct results", async () => {
  using engine = await Engine.open();
  const graph = new Graph({ seeds: [0, 1] });
  const [x, upstream] = [graph.input(3, 5), graph.input(3, 5)];
  const y = divide(graph, exp(graph, x), shift(graph, scale(graph, x, 2), 9));
  const [dx] = gradients(graph, { tensor: y, upstream }, [x]) as [Tensor];
  const fused = await engine.compile(graph, [y, dx]);
  // The results of exp and shift are also read by the gradient and therefore stored.
  assert(fused.dispatchesPerStep < graph.operations.length, `${fused.kernelNames}`);
  const values = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i));
  writeInput(fused, x, values);
  writeInput(fused, upstream, new Float32Array(30).fill(1));
  await fused.submit(0, 1);
  const found = [...await readTensor(fused, y), ...await readTensor(fused, dx)];
  fused.destroy();
  const value = (x: number) => Math.exp(x) / (2 * x + 9);
  const slope = (x: number) => value(x) * (1 - 2 / (2 * x + 9));
  const expected = [...values].map(value).concat([...values].map(slope));
  found.forEach((number, i) => assert(Math.abs(number - expected[i]!) < 1e-6));
});

Deno.test("entrywiseFunctions: functions allowed on a concatenation keep its padding zero", () => {
  for (const [name, rule] of Object.entries(entrywiseFunctions)) {
    if (!("zero" in rule)) continue;
    const reference = rule.reference as (...numbers: number[]) => number;
    const others = rule.zero === "first" ? [-2, 3] : [0];
    for (const other of others) assert(reference(0, other) === 0, name);
    const graph = new Graph({ seeds: [0] });
    const whole = concatenate(graph, [graph.input(2, 3), graph.input(2, 4)]);
    const operands = rule.gradients.length > 1 ? [whole, whole] : [whole];
    assert(entrywise(graph, name as "add", operands, [2, 3]).gaps);
  }
});

Deno.test("entrywise() rejects shapes that do not broadcast, and names them", () => {
  const graph = new Graph({ seeds: [0] });
  const [a, b] = [graph.input(3, 4), graph.input(3, 2)];
  assertThrows(
    () => add(graph, a, b),
    Error,
    "add: shapes must agree, got [1, 3, 4] and [1, 3, 2]",
  );
});
