/**
 * Compares selecting among samples of a diffusion model on the GPU and on the CPU. Needs no
 * permission.
 */
import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { candidateActor, mostSteps, recordedSolver } from "../../lib/algorithms/candidate_graph.ts";
import { candidatePolicy, solverSampler } from "../../lib/algorithms/candidate_policy.ts";
import { GraphPolicy } from "../../lib/nn/graph_policy.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { RandomStream } from "../../lib/envs/random.ts";
import { UserError } from "../../lib/errors.ts";
import { TwinQ } from "../../lib/nn/host/mlp.ts";
import { NoiseModel } from "../../lib/nn/host/noise_model.ts";
import { mlpTensors, noiseModelTensors } from "../nn/host/networks.ts";

const [stateSize, actionSize] = [11, 3];

/**
 * Returns a behavior model whose prediction is about the noised action itself, as for data near 0.
 * Its
 * samples lie within [−1, 1] but differ: mish(8 x) − mish(−8 x) is about 8 x.
 */
function behaviorTensors() {
  const width = 20;
  const tensors = noiseModelTensors("diffusion", stateSize, actionSize, width);
  const values = (name: string) => tensors.get(`diffusion.main.${name}`)!.data as Float32Array;
  const [enter, leave] = [values("fc.weight"), values("out_fc.weight")];
  const inputs = enter.length / width;
  for (let i = 0; i < leave.length; i++) leave[i]! *= 0.05;
  for (let i = 0; i < actionSize; i++) {
    for (const [unit, sign] of [[2 * i, 1], [2 * i + 1, -1]] as const) {
      // These weights carry the action through the residual stream and add nothing else.
      for (const layer of ["fc", "blocks.0.fc2"]) {
        const weight = values(`${layer}.weight`);
        const size = weight.length / width;
        weight.fill(0, unit * size, (unit + 1) * size);
        values(`${layer}.bias`)[unit] = 0;
      }
      enter[unit * inputs + i] = 8 * sign;
      for (let j = 0; j < actionSize; j++) leave[j * width + unit] = j === i ? sign / 8 : 0;
    }
  }
  return tensors;
}

/** Returns the same networks on the CPU and as inputs of an actor's description. */
function networks() {
  const behavior = {
    source: "behavior",
    tensors: behaviorTensors(),
  };
  const inputs = actionSize + stateSize;
  const critic = {
    source: "critic",
    tensors: new Map([
      ...mlpTensors("q.q1", inputs, 17, 9, 1),
      ...mlpTensors("q.q2", inputs, 17, 9, 1),
    ]),
  };
  const model = new NoiseModel(behavior, "diffusion");
  const q = new TwinQ(critic, "q", actionSize);
  return {
    model,
    q,
    loaded: [
      { network: model, from: behavior, name: "diffusion" },
      { network: q, from: critic, name: "q" },
    ] as const,
  };
}

function observationsOf(rows: number): Float64Array {
  return Float64Array.from({ length: rows * stateSize }, (_, i) => 2 * Math.sin(i * i));
}

const streams = (rows: number) => Array.from({ length: rows }, (_, row) => new RandomStream(row));

Deno.test("GraphPolicy.act() matches candidatePolicy() on the CPU to 1e-5", async () => {
  using engine = await Engine.open();
  const { model, q, loaded } = networks();
  // 15 steps end with a second-order step, 9 with a first-order one, and 1 has no previous step.
  for (const [candidates, steps, rows] of [[7, 15, 5], [3, 9, 3], [5, 1, 1]] as const) {
    const host = candidatePolicy(model, q, candidates, solverSampler(steps));
    const actor = candidateActor(...loaded, candidates, recordedSolver(steps))!;
    await using onGpu = new GraphPolicy(engine, actor);
    assertEquals(onGpu.flops, host.flops);
    const observations = observationsOf(rows);
    const [ours, theirs] = [streams(rows), streams(rows)];
    // Act twice, so that the second action continues the streams.
    for (let time = 0; time < 2; time++) {
      const found = await onGpu.act(observations, ours);
      const expected = host.act(observations, theirs);
      assertEquals(found.length, rows * actionSize);
      const worst = found.reduce((most, a, i) => Math.max(most, Math.abs(a - expected[i]!)), 0);
      assert(worst <= 1e-5, `${candidates} candidates, ${steps} steps: off by ${worst}`);
      const inside = found.filter((a) => Math.abs(a) < 1).length;
      assert(steps === 1 || 2 * inside >= found.length, `clipped: ${found}`);
      if (rows > 1) assertNotEquals([...found.slice(0, 3)], [...found.slice(3, 6)]);
    }
  }
});

Deno.test("GraphPolicy splits observations that do not fit into one submission", async () => {
  using engine = await Engine.open();
  const { loaded } = networks();
  const actor = candidateActor(...loaded, 4, recordedSolver(2))!;
  const act = async (mostRows: number) => {
    await using policy = new GraphPolicy(engine, {
      ...candidateActor(...loaded, 4, recordedSolver(2))!,
      mostRows,
    });
    return [...await policy.act(observationsOf(5), streams(5))];
  };
  assert(actor.mostRows >= 5);
  assertEquals(await act(2), await act(8));
});

Deno.test("GraphPolicy acts after a compilation has failed, and with its own networks", async () => {
  using engine = await Engine.open();
  const { loaded } = networks();
  const actor = candidateActor(...loaded, 4, recordedSolver(2))!;
  let fail = true;
  const describe: typeof actor.describe = (graph, ...inputs) => {
    // More than any buffer holds.
    if (fail) graph.input(2 ** 20, 2 ** 20);
    return actor.describe(graph, ...inputs);
  };
  const expected = await (async () => {
    const same = candidateActor(...loaded, 4, recordedSolver(2))!;
    await using policy = new GraphPolicy(engine, same);
    return await policy.act(observationsOf(2), streams(2));
  })();
  await using policy = new GraphPolicy(engine, { ...actor, describe });
  await assertRejects(() => policy.act(observationsOf(2), streams(2)), UserError, "GPU memory");
  fail = false;
  assertEquals(await policy.act(observationsOf(2), streams(2)), expected);
  fail = true;
  // Disposing a policy whose last compilation failed frees the others.
  await assertRejects(() => policy.act(observationsOf(3), streams(3)), UserError, "GPU memory");
});

Deno.test("candidateActor() takes six dispatches per step with one block, and computes what candidates have in common once", async () => {
  using engine = await Engine.open();
  const { loaded, model: { shape } } = networks();
  const observed = 3;
  const counts = async (candidates: number, steps: number) => {
    const actor = candidateActor(...loaded, candidates, recordedSolver(steps))!;
    const graph = new Graph({ seeds: [0], store: actor.store });
    const observations = graph.input(observed, stateSize);
    const draws = graph.input(observed, candidates * actionSize);
    const program = await engine.compile(graph, [
      actor.describe(graph, observations, draws).actions,
    ]);
    const dispatches = program.dispatchesPerStep;
    const flops = program.dispatches.reduce((sum, { work }) => sum + (work?.flops ?? 0), 0);
    program.destroy();
    actor.store.destroy();
    return { dispatches, flops, defined: observed * actor.flops! };
  };
  // Another 14 embed the times of all steps, compute and repeat what candidates have in common, clip,
  // score and select.
  const few = await counts(4, 3);
  const many = await counts(40, 3);
  assertEquals(few.dispatches, 14 + 3 * 6);
  assertEquals((await counts(40, 4)).dispatches, 14 + 4 * 6);
  // FLOPs of the first layer for state and time, which another candidate does not need.
  const common = 3 * 2 * (shape.observationSize + shape.embedding) * shape.width;
  assertEquals(many.flops - few.flops, many.defined - few.defined - observed * 36 * common);
});

Deno.test("candidateActor() rejects different sizes, and is null for too many steps or candidates", () => {
  const { loaded: [model, q] } = networks();
  const wrong = { ...q, network: new TwinQ(q.from, q.name, actionSize + 1) };
  assertThrows(
    () => candidateActor(model, wrong, 4, recordedSolver(4)),
    UserError,
    "the behavior model takes 11 state and 3 action entries, but Q takes 10 and 4",
  );
  assertEquals(candidateActor(model, q, 4, recordedSolver(mostSteps + 1)), null);
  assertEquals(candidateActor(model, q, 2 ** 20, recordedSolver(4)), null);
});
