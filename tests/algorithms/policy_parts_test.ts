import { assertEquals } from "@std/assert";
import { criticFrom, policyFrom } from "../../lib/algorithms/policy_parts.ts";
import { Mlp } from "../../lib/nn/host/mlp.ts";
import { mlpTensors } from "../nn/host/networks.ts";

Deno.test("criticFrom(): TD3+BC's value is the smaller Q of the normalized state and the action", () => {
  const [mean, variance] = [[1, -2, 0.5], [4, 0.25, 1]];
  const vector = (values: number[]) =>
    ({ dtype: "F32", shape: [3], data: Float32Array.from(values) }) as const;
  const checkpoint = {
    source: "agent",
    tensors: new Map([
      ...mlpTensors("actor.net", 3, 6, 2),
      ...mlpTensors("critic.q1", 5, 6, 1),
      ...mlpTensors("critic.q2", 5, 7, 1),
      ["actor.obs_rms.mean", vector(mean)],
      ["actor.obs_rms.var", vector(variance)],
    ]),
  };
  const critic = criticFrom({ algorithm: "td3-bc", checkpoint });
  assertEquals(critic.symbol, "Q(s, a)");
  const [state, action] = [[2, 3, -1], [0.3, -0.4]];
  const input = Float32Array.from([
    ...state.map((value, i) => (value - mean[i]!) / Math.sqrt(variance[i]!)),
    ...action,
  ]);
  const expected = ["critic.q1", "critic.q2"].map((name) =>
    new Mlp(checkpoint, name, "none").forward(input, 1)[0]!
  );
  const found = critic.value(Float64Array.from(state), Float64Array.from(action));
  assertEquals(found, Math.min(...expected));
});

Deno.test("policyFrom(): scales an actor's actions to its bounds", () => {
  const agent = { source: "agent", tensors: mlpTensors("policy.mean.net", 2, 4, 1) };
  const parts = { algorithm: "iql", actor: "iql", checkpoints: { agent }, options: {} };
  const observation = Float64Array.of(0.3, -0.7);
  const [unit] = policyFrom({ ...parts, bounds: null }).act(observation, []);
  const [scaled] = policyFrom({ ...parts, bounds: { low: [-2], high: [4] } }).act(observation, []);
  assertEquals(scaled, -2 + (unit! + 1) / 2 * 6);
});
