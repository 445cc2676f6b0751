/**
 * Compares the basic operations with PyTorch, which computed in double precision on float32 inputs.
 * Limits are relative to a tensor's largest entry. Runs without permissions.
 */
import { assert, assertEquals } from "@std/assert";
import bytes from "../fixtures/pytorch/ops-small.safetensors" with { type: "bytes" };
import { Engine } from "../../lib/autodiff/engine.ts";
import type { Graph } from "../../lib/autodiff/graph.ts";
import { argmax } from "../../lib/autodiff/ops/argmax.ts";
import {
  broadcast,
  meanColumns,
  meanRows,
  sumColumns,
  sumHeads,
  sumRows,
} from "../../lib/autodiff/ops/broadcast.ts";
import { add, entrywise, multiply } from "../../lib/autodiff/ops/entrywise.ts";
import {
  entrywiseFunctions,
  type EntrywiseName,
} from "../../lib/autodiff/ops/entrywise_functions.ts";
import { gatherRows } from "../../lib/autodiff/ops/gather_rows.ts";
import { logSumExp } from "../../lib/autodiff/ops/log_sum_exp.ts";
import { minimumOverHeads } from "../../lib/autodiff/ops/minimum_over_heads.ts";
import { globalNorm } from "../../lib/autodiff/ops/norm.ts";
import { reshape } from "../../lib/autodiff/ops/reshape.ts";
import { slice } from "../../lib/autodiff/ops/slice.ts";
import { softmax } from "../../lib/autodiff/ops/softmax.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import { relativeError } from "../../lib/checks/check.ts";
import { type InputShape, Session } from "../../lib/checks/session.ts";
import { Fixture } from "../support/fixtures.ts";

const fixture = new Fixture("ops-small", bytes);
const limit = 5e-6;

type Inputs = Readonly<Record<string, Tensor>>;

const constants: Readonly<Record<string, readonly number[]>> = {
  scale: [-1.7],
  shift: [0.6],
  clip: [-0.5, 0.75],
};

/** The operations that are not in the table of entrywise functions. */
const recorders: Readonly<Record<string, (graph: Graph, inputs: Inputs) => Tensor>> = {
  softmax: (graph, { x }) => softmax(graph, x!),
  log_sum_exp: (graph, { x }) => logSumExp(graph, x!),
  sum_columns: (graph, { x }) => sumColumns(graph, x!),
  mean_columns: (graph, { x }) => meanColumns(graph, x!),
  sum_rows: (graph, { x }) => sumRows(graph, x!),
  mean_rows: (graph, { x }) => meanRows(graph, x!),
  sum_heads: (graph, { x }) => sumHeads(graph, x!, 3),
  minimum_over_heads: (graph, { x }) => minimumOverHeads(graph, x!, 3),
  repeat_rows: (graph, { x }) =>
    broadcast(graph, x!, { replicas: 1, rows: 4 * x!.rows, columns: x!.columns }),
  broadcast: (graph, { a, b, c }) => add(graph, multiply(graph, a!, b!), c!),
  argmax: (graph, { x }) => argmax(graph, x!),
  gather_rows: (graph, { x, index }) => gatherRows(graph, x!, index!),
  slice: (graph, { x }) => slice(graph, x!, 3, 6),
  reshape: (graph, { x }) => reshape(graph, x!, 7),
  global_norm: (graph, { a, b }) => globalNorm(graph, [a!, b!]),
};

function record(operation: string, graph: Graph, inputs: Inputs): Tensor {
  if (operation in entrywiseFunctions) {
    const name = operation as EntrywiseName;
    return entrywise(graph, name, Object.values(inputs), constants[name]);
  }
  const recorder = recorders[operation];
  assert(recorder, `the fixture has "${operation}", for which there is no operation`);
  return recorder(graph, inputs);
}

/** Compares one case. Returns the names of the compared tensors. */
async function compare(name: string, session: Session): Promise<string[]> {
  const parts = fixture.names(`${name}.`).map((full) => full.slice(name.length + 1));
  const gradients = parts.filter((part) => part.startsWith("d") && parts.includes(part.slice(1)));
  const inputs = parts.filter((part) => !["g", "y", ...gradients].includes(part)).toSorted();
  const shapes = inputs.map((input): [string, InputShape] => {
    const [columns, rows, heads = 1] = fixture.shape(`${name}.${input}`).toReversed();
    return [input, { rows: rows!, columns: columns!, heads }];
  });
  const outcome = await session.compute({
    seeds: [0],
    inputs: Object.fromEntries(shapes),
    values: Object.fromEntries(inputs.map((input) => [input, fixture.f32(`${name}.${input}`)])),
    wanted: gradients.map((gradient) => gradient.slice(1)),
    upstream: () => fixture.f32(`${name}.g`),
    record: (graph, tensors) => ({
      results: { y: record(name.split(".")[0]!, graph, tensors) },
      ...(gradients.length > 0 && { objective: "y" }),
    }),
  });
  assertEquals(outcome.spilled, [], name);
  const close = (part: string, found: Float32Array) => {
    const error = relativeError(found, fixture.get(`${name}.${part}`));
    assert(error <= limit, `${name}.${part}: off by ${error}, limit ${limit}`);
  };
  close("y", outcome.results.get("y")!);
  for (const gradient of gradients) close(gradient, outcome.gradients.get(gradient.slice(1))!);
  return ["y", ...gradients].map((part) => `${name}.${part}`);
}

Deno.test("basic operations: match PyTorch in every case of the fixture", async (t) => {
  using engine = await Engine.open();
  const session = new Session(engine);
  const cases = new Set(fixture.names("").map((name) => name.slice(0, name.lastIndexOf("."))));
  const compared: string[] = [];
  for (const [operation, names] of Map.groupBy(cases, (name) => name.split(".")[0]!)) {
    await t.step(operation, async () => {
      for (const name of names) compared.push(...await compare(name, session));
    });
  }
  await t.step("every result in the fixture was compared", () => {
    const results = fixture.names("").filter((name) =>
      fixture.file.tensors.get(name)!.dtype === "F64"
    );
    assert(results.length > 150);
    assertEquals(results.toSorted(), compared.toSorted());
  });
});
