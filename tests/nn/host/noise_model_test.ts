import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../../lib/errors.ts";
import { NoiseModel } from "../../../lib/nn/host/noise_model.ts";
import { assertClose, mayReadFixtures, Reference } from "./fixtures.ts";

for (const config of ["loco", "ant"]) {
  Deno.test({
    name: `NoiseModel: the ${config} model's noise matches PyTorch to 5e-5`,
    ignore: !mayReadFixtures,
    fn() {
      const reference = new Reference(`behavior-${config}-w16`);
      const model = new NoiseModel(reference.init, "diffusion");
      const noised = reference.get("nodrop.step1.perturbed_a");
      const rows = reference.rows("t");
      const noise = model.predict(
        noised,
        reference.first("batch.s"),
        reference.first("t"),
        rows,
      );
      // Tolerance for forward values, as specified with the fixtures.
      assertClose(noise, reference.get("nodrop.step1.eps_hat"), 5e-5, "eps_hat");
    },
  });
}

Deno.test({
  name: "NoiseModel: a single time gives the same result as repeating it for every row",
  ignore: !mayReadFixtures,
  fn() {
    const reference = new Reference("behavior-loco-w16");
    const model = new NoiseModel(reference.init, "diffusion");
    const [noised, states] = [
      reference.get("nodrop.step1.perturbed_a"),
      reference.first("batch.s"),
    ];
    const each = model.predict(noised, states, new Float32Array(5).fill(0.3), 5).slice(0, 15);
    const shared = model.predict(noised, states, Float32Array.of(0.3), 5).slice(0, 15);
    assertEquals(shared, each);
  },
});

Deno.test({
  name: "NoiseModel: rejects tensors that do not form a model, naming tensor and shapes",
  ignore: !mayReadFixtures,
  fn() {
    const { init } = new Reference("behavior-loco-w16");
    const refuses = (name: string, shape: number[] | null, message: string) => {
      const tensors = new Map(init.tensors);
      if (shape === null) tensors.delete(name);
      else {
        const size = shape.reduce((product, n) => product * n, 1);
        tensors.set(name, { shape, data: new Float32Array(size) });
      }
      assertThrows(
        () => new NoiseModel({ source: "behavior.safetensors", tensors }, "diffusion"),
        UserError,
        `behavior.safetensors: ${message}`,
      );
    };
    refuses("diffusion.embed.0.W", null, "expected a tensor diffusion.embed.0.W of [any]");
    refuses(
      "diffusion.cond_model.0.weight",
      [128, 60],
      "tensor diffusion.cond_model.0.weight should be [any, 64], it is [128, 60]",
    );
    refuses(
      "diffusion.main.blocks.1.fc2.weight",
      [16, 63],
      "tensor diffusion.main.blocks.1.fc2.weight should be [any, 64], it is [16, 63]",
    );
    refuses(
      "diffusion.main.blocks.4.fc1.weight",
      [64, 16],
      "unexpected tensor diffusion.main.blocks.4.fc1.weight; found 3 residual blocks",
    );
    refuses(
      "diffusion.main.blocks.2.layer_norm.bias",
      null,
      "expected a tensor diffusion.main.blocks.2.layer_norm.bias of [16], found none",
    );
    refuses(
      "diffusion.main.fc.weight",
      [16, 100],
      "tensor diffusion.main.fc.weight takes 100 entries, fewer than the action (3) and the time " +
        "embedding (128) together",
    );
  },
});
