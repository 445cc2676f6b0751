import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { readTensor } from "../../lib/autodiff/compile.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";

/**
 * Creates rows with observations [i, 1000 + i], action [−i] and reward 2 i. Every hundredth row
 * ends an episode.
 */
function bufferOf(engine: Engine, rows: number, pageBytes?: number): ReplayBuffer {
  const all = Array.from({ length: rows }, (_, i) => i);
  return new ReplayBuffer(
    engine.gpu,
    {
      rows,
      observationSize: 2,
      actionSize: 1,
      observations: Float32Array.from(all.flatMap((i) => [i, 1000 + i])),
      actions: Float32Array.from(all, (i) => -i),
      terminals: Float32Array.from(all, (i) => Number(i % 100 === 99)),
      transitions: Uint32Array.from(all.slice(0, -1)),
    },
    Float32Array.from(all, (i) => 2 * i),
    ...(pageBytes === undefined ? [] : [pageBytes]),
  );
}

/**
 * Returns the rows of the minibatches of some steps, `[steps][seed]`, after checking all their
 * fields.
 */
async function visited(
  engine: Engine,
  buffer: ReplayBuffer,
  batch: number,
  steps: readonly number[],
  seeds: readonly number[] = [0],
): Promise<number[][][]> {
  const graph = new Graph({ seeds });
  const minibatch = buffer.minibatch(graph, { rows: batch, stream: 16 });
  const tensors = [
    minibatch.state(),
    minibatch.nextState(),
    minibatch.action(),
    minibatch.reward(),
    minibatch.terminal(),
  ];
  const program = await engine.compile(graph, tensors);
  // The queue runs the readbacks of a step before the next step, so all can be awaited together.
  const read = await Promise.all(
    steps.map(async (step) => {
      const [, ...values] = await Promise.all([
        program.submit(step, 1),
        ...tensors.map((tensor) => readTensor(program, tensor)),
      ]);
      return values;
    }),
  );
  program.destroy();
  return read.map(([state, next, action, reward, terminal]) => {
    const rows = Array.from(action!, (value) => Math.abs(value));
    rows.forEach((row, i) => {
      assertEquals([...state!.subarray(2 * i, 2 * i + 2)], [row, 1000 + row]);
      assertEquals([...next!.subarray(2 * i, 2 * i + 2)], [row + 1, 1001 + row]);
      assertEquals([reward![i], terminal![i]], [2 * row, Number(row % 100 === 99)]);
    });
    return seeds.map((_, s) => rows.slice(s * batch, (s + 1) * batch));
  });
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

// There is one transition fewer than rows: 7, 1000 and 12345 of them.
for (const [transitions, batch] of [[7, 2], [7, 7], [1000, 64], [12_345, 1000]] as const) {
  Deno.test(`minibatch() visits ${transitions} rows once per epoch in batches of ${batch}, and drops the remainder`, async () => {
    using engine = await Engine.open();
    const buffer = bufferOf(engine, transitions + 1);
    const steps = Math.floor(transitions / batch);
    const epochs = (await visited(engine, buffer, batch, range(0, 3 * steps)))
      .map(([rows]) => rows!);
    for (let epoch = 0; epoch < 3; epoch++) {
      const rows = epochs.slice(epoch * steps, (epoch + 1) * steps).flat();
      assertEquals(rows.length, steps * batch);
      assertEquals(new Set(rows).size, rows.length, "a row is visited twice");
      assert(rows.every((row) => row >= 0 && row < transitions));
    }
    const order = (epoch: number) => epochs.slice(epoch * steps, (epoch + 1) * steps).flat();
    assertNotEquals(order(0), order(1));
    assertNotEquals(order(1), order(2));
    buffer.destroy();
  });
}

Deno.test("minibatch() shuffles rows by seed: the orders of different seeds are uncorrelated", async () => {
  using engine = await Engine.open();
  const buffer = bufferOf(engine, 1001);
  const steps = await visited(engine, buffer, 100, range(0, 10), [0, 1, 2]);
  const orders = [0, 1, 2].map((seed) => steps.flatMap((batches) => batches[seed]!));
  for (const order of orders) assertEquals(order.toSorted((a, b) => a - b), range(0, 1000));
  orders.forEach((order, i) => {
    const other = orders[(i + 1) % 3]!;
    // Two independent orders agree in about one place per thousand, and rarely in more than six.
    assert(order.filter((row, place) => row === other[place]).length <= 6);
    // Neighboring ranks, other orders and the order of the data are uncorrelated; the standard
    // deviation 1 / √1000 is 0.03.
    const correlation = (a: readonly number[], b: readonly number[]) =>
      a.reduce((total, x, place) => total + (x - 499.5) * (b[place]! - 499.5), 0) /
      (1000 * (1000 * 1000 - 1) / 12);
    assert(Math.abs(correlation(order, range(0, 1000))) < 0.13);
    assert(Math.abs(correlation(order, other)) < 0.13);
    assert(Math.abs(correlation(order, [...order.slice(1), order[0]!])) < 0.13);
  });
  buffer.destroy();
});

Deno.test("minibatch() returns the same rows from several pages as from one", async () => {
  using engine = await Engine.open();
  const whole = bufferOf(engine, 1001);
  const expected = await visited(engine, whole, 64, range(0, 15));
  for (const pages of [2, 3, 4]) {
    // A record has three vec4s.
    const buffer = bufferOf(engine, 1001, Math.ceil(1001 / pages) * 48);
    assertEquals(buffer.records.pages.length, pages);
    assertEquals(await visited(engine, buffer, 64, range(0, 15)), expected);
    buffer.destroy();
  }
  whole.destroy();
});

Deno.test("minibatch() rejects more rows than there are transitions", async () => {
  using engine = await Engine.open();
  const buffer = bufferOf(engine, 8);
  const graph = new Graph({ seeds: [0] });
  const { state } = buffer.minibatch(graph, { rows: 8, stream: 16 });
  assertThrows(() => state(), Error, "minibatch: needs at least 8 transitions, got 7");
  buffer.destroy();
});

Deno.test("minibatch() rejects a second data set in one graph", async () => {
  using engine = await Engine.open();
  const [one, other] = [bufferOf(engine, 8), bufferOf(engine, 8)];
  const graph = new Graph({ seeds: [0] });
  one.minibatch(graph, { rows: 2, stream: 16 }).state();
  const { state } = other.minibatch(graph, { rows: 2, stream: 16 });
  assertThrows(() => state(), Error, "one data set");
  one.destroy();
  other.destroy();
});
