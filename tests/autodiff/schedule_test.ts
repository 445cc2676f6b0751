import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { place } from "../../lib/autodiff/memory.ts";
import { readTensor, writeInput } from "../../lib/autodiff/compile.ts";
import { Engine, portableTarget } from "../../lib/autodiff/engine.ts";
import { gradients } from "../../lib/autodiff/gradients.ts";
import { Graph, type Operation } from "../../lib/autodiff/graph.ts";
import { add, relu, tanh } from "../../lib/autodiff/ops/entrywise.ts";
import { concatenate } from "../../lib/autodiff/ops/concatenate.ts";
import { linear } from "../../lib/autodiff/ops/linear.ts";
import { registerOperation } from "../../lib/autodiff/operations.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { schedule } from "../../lib/autodiff/schedule.ts";
import type { Storage, Tensor } from "../../lib/autodiff/tensor.ts";

const namesOf = (graph: Graph) =>
  schedule(graph.operations, portableTarget).map(({ operations }) =>
    operations.map(({ name }) => name).join(", ")
  );

Deno.test("schedule() runs independent operations with the same kernel in one dispatch", () => {
  const graph = new Graph({ seeds: [0] });
  const [a, b] = [graph.input(2, 4), graph.input(3, 8)];
  tanh(graph, a);
  relu(graph, a);
  tanh(graph, b);
  assertEquals(namesOf(graph).toSorted(), ["relu", "tanh, tanh"]);
});

Deno.test("schedule() runs an operation after those that it reads from", () => {
  const graph = new Graph({ seeds: [0] });
  const once = tanh(graph, graph.input(2, 4));
  tanh(graph, once);
  assertEquals(namesOf(graph), ["tanh", "tanh"]);
});

Deno.test("schedule() delays a kernel while more of its operations can become ready", () => {
  const graph = new Graph({ seeds: [0] });
  const [a, b] = [graph.input(2, 4), graph.input(2, 4)];
  relu(graph, a);
  // This ReLU becomes ready after a tanh, and the first ReLU waits for it.
  relu(graph, tanh(graph, b));
  assertEquals(namesOf(graph), ["tanh", "relu, relu"]);
});

Deno.test("schedule() keeps the order of reads and writes of the same tensor", () => {
  const graph = new Graph({ seeds: [0] });
  const x = graph.input(2, 4);
  const reader: Operation = { ...touching(name), reads: [x] };
  const writer: Operation = { ...touching(name), writes: [x] };
  [reader, writer, writer, reader].forEach((operation) => graph.record({ ...operation }));
  assertEquals(schedule(graph.operations, portableTarget).length, 4);
});

const name = registerOperation("test");

function touching(name: Operation["name"]): Operation {
  return {
    name,
    inputs: [],
    reads: [],
    writes: [],
    kernel: () => ({ name: "any", source: "" }),
    jobs: () => [],
  };
}

/** Parameters of a random sequence of operations on a few tensors: three numbers per operation. */
const steps = fc.array(fc.tuple(fc.nat(3), fc.nat(1000), fc.nat(1000)), {
  minLength: 1,
  maxLength: 14,
});

function randomGraph(chosen: readonly (readonly [number, number, number])[]) {
  const graph = new Graph({ seeds: [0, 1] });
  const x = graph.input(5, 6);
  const parameters = new ParameterSet(graph, [
    { name: "weight", rows: 6, segments: [6], vector: false },
    { name: "wide", rows: 6, segments: [6, 6], vector: false },
    { name: "bias", rows: 1, segments: [6], vector: true },
  ], 2);
  const bias = parameters.get("bias");
  const tensors: Tensor[] = [x];
  for (const [kind, i, j] of chosen) {
    const [a, b] = [tensors[i % tensors.length]!, tensors[j % tensors.length]!];
    tensors.push(
      kind === 0
        ? add(graph, a, b)
        : kind === 1
        ? tanh(graph, a)
        : kind === 2
        ? linear(graph, a, { weight: parameters.get("weight"), bias }, "none", b)
        : linear(graph, concatenate(graph, [a, b]), { weight: parameters.get("wide"), bias }),
    );
  }
  const last = tensors.at(-1)!;
  const upstream = graph.constant(5, 6, 1);
  const found = gradients(graph, { tensor: last, upstream }, [x, parameters.get("weight")]);
  return { graph, x, parameters, last, tensors, found };
}

Deno.test("compile() never overlaps storages that are alive at the same time", () => {
  fc.assert(
    fc.property(steps, (chosen) => {
      const { graph } = randomGraph(chosen);
      const stages = schedule(graph.operations, portableTarget);
      const alive = new Map<Storage, { first: number; last: number }>();
      stages.forEach(({ operations }, stage) => {
        for (const { reads, writes } of operations) {
          for (const { storage } of [...reads, ...writes]) {
            if (storage.persistent) continue;
            const lifetime = alive.get(storage) ?? { first: stage, last: stage };
            lifetime.last = stage;
            alive.set(storage, lifetime);
          }
        }
      });
      const storages = [
        ...graph.persistent.filter(({ arena }) => arena === "activations"),
        ...alive.keys(),
      ];
      const size = place(storages, alive, stages.length);
      const spans = storages.map((storage) => ({
        start: storage.offset!,
        end: storage.offset! + storage.replicaSize * storage.replicas,
        ...(alive.get(storage) ?? { first: 0, last: stages.length }),
      }));
      spans.forEach((a, i) => {
        assert(a.start % 64 === 0 && a.end <= size);
        for (const b of spans.slice(i + 1)) {
          const together = a.first <= b.last && b.first <= a.last;
          assert(!together || a.end <= b.start || b.end <= a.start, "two storages overlap");
        }
      });
    }),
    { seed: 1, numRuns: 200 },
  );
});

Deno.test("compile() gives bit-identical results with reused and with separate memory", async () => {
  using engine = await Engine.open();
  await fc.assert(
    fc.asyncProperty(steps, async (chosen) => {
      const results: number[][] = [];
      for (const keepAll of [false, true]) {
        const { graph, x, parameters, last, tensors, found } = randomGraph(chosen);
        const wanted = [last, ...found.filter((tensor) => tensor !== null)];
        const program = await engine.compile(graph, keepAll ? [...tensors, ...wanted] : wanted);
        const numbers = (count: number) =>
          Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin(3 * i + 1));
        writeInput(program, x, numbers(60));
        for (const replica of [0, 1]) {
          parameters.write(
            program,
            replica,
            new Map([["weight", numbers(36)], ["wide", numbers(72)], ["bias", numbers(6)]]),
          );
        }
        // Runs two steps: the memory contents after the first must not matter.
        const pending = [program.submit(0, 1), program.submit(1, 1)];
        const read = await Promise.all(wanted.map((tensor) => readTensor(program, tensor)));
        await Promise.all(pending);
        results.push(read.flatMap((values) => [...values]));
        program.destroy();
      }
      assertEquals(results[0], results[1]);
      assert(results[0]!.every(Number.isFinite));
    }),
    { seed: 2, numRuns: 25 },
  );
});
