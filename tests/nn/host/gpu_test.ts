import { assertEquals } from "@std/assert";
import { readTensor, writeInput } from "../../../lib/autodiff/compile.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import { ParameterSet } from "../../../lib/autodiff/parameters.ts";
import { Mlp } from "../../../lib/nn/host/mlp.ts";
import { mlp, mlpShapes } from "../../../lib/nn/mlp.ts";
import { mlpTensors } from "./networks.ts";

for (
  const [observations, hidden, actions] of [[17, [256, 256], 6], [29, [64, 64, 64, 64], 8]] as const
) {
  Deno.test(`Mlp: a policy with hidden layers ${hidden} matches the GPU to 1e-5`, async () => {
    const rows = 33;
    const tensors = mlpTensors("net", observations, ...hidden, actions);
    const input = Float32Array.from(
      { length: rows * observations },
      (_, i) => 3 * Math.sin(i * i),
    );

    const graph = new Graph({ seeds: [0] });
    const shapes = mlpShapes({ inputs: [observations], hidden, outputs: actions });
    const parameters = new ParameterSet(graph, shapes, 1);
    const state = graph.input(rows, observations);
    const action = mlp(graph, parameters, state, "tanh");
    using engine = await Engine.open();
    const program = await engine.compile(graph, [action]);
    parameters.write(
      program,
      0,
      new Map(shapes.map(({ name }) => [name, tensors.get(`net.${name}`)!.data as Float32Array])),
    );
    writeInput(program, state, input);
    await program.submit(0, 1);
    const onGpu = await readTensor(program, action);
    program.destroy();

    const onHost = new Mlp({ source: "policy", tensors }, "net", "tanh").forward(input, rows);
    assertEquals(onGpu.length, rows * actions);
    const worst = onGpu.reduce((most, value, i) => Math.max(most, Math.abs(value - onHost[i]!)), 0);
    assertEquals(worst <= 1e-5, true, `off by ${worst}`);
    const spread = Math.max(...onGpu) - Math.min(...onGpu);
    assertEquals(spread > 0.5, true, `the actions hardly differ: ${spread}`);
  });
}
