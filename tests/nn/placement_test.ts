/** Where policies act. Needs no permission. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { candidateActor, recordedSolver } from "../../lib/algorithms/candidate_graph.ts";
import { candidatePolicy, solverSampler } from "../../lib/algorithms/candidate_policy.ts";
import { TwinQ } from "../../lib/nn/host/mlp.ts";
import { NoiseModel } from "../../lib/nn/host/noise_model.ts";
import { GraphPolicy } from "../../lib/nn/graph_policy.ts";
import { Placement } from "../../lib/nn/placement.ts";
import { mlpTensors, noiseModelTensors } from "./host/networks.ts";

const behavior = { source: "behavior", tensors: noiseModelTensors("diffusion", 4, 2, 8) };
const critic = {
  source: "critic",
  tensors: new Map([...mlpTensors("q.q1", 6, 8, 1), ...mlpTensors("q.q2", 6, 8, 1)]),
};
const model = new NoiseModel(behavior, "diffusion");
const q = new TwinQ(critic, "q", 2);
const candidates = 10_000;
const policy = candidatePolicy(model, q, candidates, solverSampler(3));
const describe = (steps: number) => () =>
  Promise.resolve(
    candidateActor(
      { network: model, from: behavior, name: "diffusion" },
      { network: q, from: critic, name: "q" },
      candidates,
      recordedSolver(steps),
    ),
  );

Deno.test("Placement: policies with a GPU description act on the GPU, others on the CPU", async () => {
  await using placement = new Placement();
  const placed = await placement.place({ policy, describe: describe(3) });
  assert(placed.policy instanceof GraphPolicy);
  assert(placed.adapter);
  assertEquals(await placement.place({ policy }), { policy, adapter: null, reason: null });
});

Deno.test("Placement: a policy of few FLOPs acts on the CPU, whose answer comes sooner", async () => {
  const small = candidatePolicy(model, q, 4, solverSampler(3));
  await using placement = new Placement();
  const placed = await placement.place({ policy: small, describe: describe(3) });
  assertEquals(placed, { policy: small, adapter: null, reason: null });
});

Deno.test("Placement: a policy with too many steps acts on the CPU and reports the reason", async () => {
  await using placement = new Placement();
  const { reason, ...placed } = await placement.place({ policy, describe: describe(100) });
  assertEquals(placed, { policy, adapter: null });
  assertStringIncludes(reason!, "too many candidates or steps for one GPU program");
});

Deno.test("Placement: without an adapter, policies act on the CPU and report the reason", async () => {
  const { requestAdapter } = navigator.gpu;
  navigator.gpu.requestAdapter = () => Promise.resolve(null);
  try {
    await using placement = new Placement();
    const { reason, ...placed } = await placement.place({ policy, describe: describe(3) });
    assertEquals(placed, { policy, adapter: null });
    assertStringIncludes(reason!, "no WebGPU adapter was found");
  } finally {
    navigator.gpu.requestAdapter = requestAdapter;
  }
});
