/**
 * Fits sin 3x with a small network on the GPU. The training step is described once and replayed.
 * Run it with `deno task example`; it needs no permissions. The task sets XDG_RUNTIME_DIR, because
 * Mesa's Vulkan drivers print a warning without it. With `--allow-env=XDG_RUNTIME_DIR` the engine
 * sets it if it is missing.
 */
import { constant, Engine, Graph, initialize, linear, linearShapes } from "../mod.ts";
import { meanSquaredError, minimize, ParameterSet, readTensor, writeInput } from "../mod.ts";

using engine = await Engine.open();

// Describe a step for one seed, with 64 points, two layers and Adam.
const graph = new Graph({ seeds: [0] });
const x = graph.input(64, 1);
const y = graph.input(64, 1);
const network = new ParameterSet(
  graph,
  [...linearShapes("hidden", [1], 32), ...linearShapes("output", [32], 1)],
  graph.replicas,
);
const layer = (name: string) => ({
  weight: network.get(`${name}.weight`),
  bias: network.get(`${name}.bias`),
});
const hidden = linear(graph, x, layer("hidden"), "tanh");
const prediction = linear(graph, hidden, layer("output"));
const loss = meanSquaredError(graph, "loss", prediction, y);
minimize(graph, loss, network, { learningRate: constant(0.01) });

// Compile it, write its inputs, and replay it 1000 times.
const program = await engine.compile(graph, [prediction]);
const points = Float32Array.from({ length: 64 }, (_, i) => i / 32 - 1);
writeInput(program, x, points);
writeInput(program, y, points.map((point) => Math.sin(3 * point)));
network.write(program, 0, initialize(network.shapes, 0, 0));
console.log(`${engine.gpu.adapter.name}, ${program.dispatchesPerStep} dispatches per step`);
for (let step = 0; step < 1000; step += 200) {
  const losses = await program.submit(step, 200);
  console.log(`step ${step + 200}  loss ${losses.at(-1)!.toExponential(2)}`);
}
const found = await readTensor(program, prediction);
console.log(`sin(1.5) is 0.997, the network's prediction is ${found[48]!.toFixed(3)}`);
