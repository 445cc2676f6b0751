/** Tests of the Diffusion-QL policy. Needs no permissions. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import bytes from "../../fixtures/official/diffusion_ql.safetensors" with { type: "bytes" };
import { diffusionPolicy, Networks } from "../../../lib/algorithms/diffusion-ql/acting.ts";
import { diffusionActor } from "../../../lib/algorithms/diffusion-ql/acting_graph.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { ancestralSteps, sampleAncestral } from "../../../lib/diffusion/ddpm.ts";
import { RandomStream } from "../../../lib/envs/random.ts";
import { UserError } from "../../../lib/errors.ts";
import { GraphPolicy } from "../../../lib/nn/graph_policy.ts";
import { Fixture } from "../../support/fixtures.ts";

const fixture = new Fixture("diffusion_ql", bytes);
const [stateSize, actionSize] = [11, 3];

/** Returns the official code's networks after five steps, with Q multiplied by a factor. */
function checkpoint(scaleOfQ = 1) {
  const start = "mean.after5.";
  const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>(
    fixture.names(start).map((name) => {
      const short = name.slice(start.length);
      const factor = /critic_target\.q._model\.6\./.test(short) ? scaleOfQ : 1;
      return [short, {
        shape: fixture.shape(name),
        data: fixture.f32(name).map((x) => factor * x),
      }];
    }),
  );
  const betas = fixture.f32("mean.schedule.betas");
  tensors.set("schedule.betas", { shape: [betas.length], data: betas });
  return { source: "official", tensors };
}

function observationsOf(rows: number): Float64Array {
  return Float64Array.from({ length: rows * stateSize }, (_, i) => 2 * Math.sin(i * i));
}

const streams = (rows: number) => Array.from({ length: rows }, (_, row) => new RandomStream(row));

Deno.test("diffusionActor(): actions on the GPU match the CPU to 1e-5", async () => {
  using engine = await Engine.open();
  const from = checkpoint(20);
  const networks = new Networks(from);
  for (const [candidates, rows] of [[50, 3], [1, 2]] as const) {
    const host = diffusionPolicy(networks, candidates);
    const actor = diffusionActor(networks, from, candidates)!;
    await using onGpu = new GraphPolicy(engine, actor);
    assertEquals(onGpu.flops, host.flops);
    const [ours, theirs] = [streams(rows), streams(rows)];
    for (let time = 0; time < 2; time++) {
      const observations = observationsOf(rows);
      const found = await onGpu.act(observations, ours);
      const expected = host.act(observations, theirs);
      const worst = found.reduce((most, a, i) => Math.max(most, Math.abs(a - expected[i]!)), 0);
      assert(worst <= 1e-5, `${candidates} candidates: off by ${worst}`);
      assert(found.every((a) => Math.abs(a) <= 1), `${found}`);
    }
    // Not the actions of the time before.
    const nowhere = new Float64Array(rows * stateSize).fill(NaN);
    for (const actions of [host.act(nowhere, ours), await onGpu.act(nowhere, theirs)]) {
      assert(actions.every(Number.isNaN), `${actions}`);
    }
  }
});

Deno.test("diffusionPolicy(): candidates are chosen with probability softmax(Q)", () => {
  const networks = new Networks(checkpoint(20));
  const candidates = 3;
  const state = observationsOf(1);
  const start = Float64Array.from(
    { length: 5 * candidates * actionSize },
    (_, i) => Math.sin(7 * i),
  );
  // The candidates are the same in every call. Only the choice among them is random.
  const random = new RandomStream(1);
  const policy = diffusionPolicy(networks, candidates);
  const act = () => {
    let used = 0;
    const normal = () => used < start.length ? start[used++]! : random.normal();
    return policy.act(state, [{ normal, uniform: () => NaN }]).join();
  };
  let used = 0;
  const x = Float32Array.from({ length: candidates * actionSize }, () => start[used++]!);
  sampleAncestral(
    x,
    (at, t) => networks.noise(at, state, t),
    ancestralSteps(networks.betas, "posterior"),
    "prediction",
    () => start[used++]!,
  );
  assertEquals(used, start.length);
  const powers = [...networks.q(x, state)].map((q) => Math.exp(q));
  const total = powers.reduce((a, b) => a + b);
  const times = 4000;
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    const action = act();
    counts.set(action, (counts.get(action) ?? 0) + 1);
  }
  powers.forEach((power, k) => {
    const p = power / total;
    assert(p > 0.05 && p < 0.9, `candidate ${k} has probability ${p}`);
    const action = Float64Array.from(x.subarray(k * actionSize, (k + 1) * actionSize)).join();
    const share = (counts.get(action) ?? 0) / times;
    const deviation = Math.sqrt(p * (1 - p) / times);
    assert(Math.abs(share - p) < 4 * deviation, `candidate ${k}: ${share}, softmax gives ${p}`);
  });
});

Deno.test("Networks: errors name a missing or misshapen tensor", () => {
  const without = checkpoint();
  without.tensors.delete("critic_target.q2_model.4.bias");
  assertThrows(() => new Networks(without), UserError, "critic_target.q2_model.4.bias");
  const wide = checkpoint();
  wide.tensors.set("critic_target.q1_model.0.weight", {
    shape: [17, 13],
    data: new Float32Array(17 * 13),
  });
  assertThrows(() => new Networks(wide), UserError, "should be [any, 14], it is [17, 13]");
});
