import { assertAlmostEquals, assertEquals } from "@std/assert";
import { makeEnvironment } from "../../../lib/envs/registry.ts";
import { decode } from "../../../lib/runs/safetensors.ts";

const ignore = Deno.permissions.querySync({ name: "read" }).state !== "granted";

Deno.test({
  name: "hopper: a published policy earns its published return with profile mjpy",
  ignore,
  async fn() {
    const path = new URL("../../fixtures/policies/tqc-hopper.safetensors", import.meta.url);
    const { tensors } = decode(await Deno.readFile(path), "tqc-hopper");
    const tensor = (name: string) => Float64Array.from(tensors.get(name)!.data as Float32Array);
    const layers = ["net.0", "net.2", "net.4"].map((name) => ({
      weight: tensor(`${name}.weight`),
      bias: tensor(`${name}.bias`),
    }));
    const act = (observation: Float64Array): Float64Array =>
      layers.reduce((input, { weight, bias }, depth) => {
        const output = bias.slice();
        for (let row = 0; row < output.length; row++) {
          for (let column = 0; column < input.length; column++) {
            output[row]! += weight[row * input.length + column]! * input[column]!;
          }
        }
        return output.map((value) => depth < 2 ? Math.max(0, value) : Math.tanh(value));
      }, observation);
    const batch = await makeEnvironment("hopper", 1);
    let observation = await batch.reset([1]);
    let sum = 0;
    let steps = 0;
    for (let over = 0; over === 0; steps++) {
      const step = await batch.step(act(observation));
      observation = step.observations;
      sum += step.rewards[0]!;
      over = step.terminated[0]! + step.truncated[0]!;
    }
    await batch.close();
    // Published: 3754.2 ± 8.3 over episodes; the tolerance is three standard deviations. An episode
    // that ends in a fall earns far less.
    assertAlmostEquals(sum, 3754.2, 3 * 8.3);
    assertEquals(steps, 1000);
  },
});
