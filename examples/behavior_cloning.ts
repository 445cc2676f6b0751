/**
 * A custom algorithm: behavior cloning with a Gaussian head, trained briefly on the bundled maze
 * data. Run it with `deno run -A examples/behavior_cloning.ts [steps]`.
 */
import { add, type Algorithm, clip, constant, divide, Engine, evaluateHere } from "../mod.ts";
import { evaluationSeeds, exp, findTask, hyperparameters, HyperparameterTable } from "../mod.ts";
import { loadDataset, lossOf, mean, minimize, Mlp, mlp, mlpShapes, multiply } from "../mod.ts";
import { networkPolicy, numbered, ParameterSet, readMetrics, scale, subtract } from "../mod.ts";
import { sumColumns, trainAlgorithm } from "../mod.ts";

const { all, integer, number, row } = hyperparameters;
const size = integer(1, 1e9);
const table = new HyperparameterTable({
  steps: row("clone", "", "steps", "this example", size, all(1000)),
  batchSize: row("clone", "", "rows per minibatch", "this example", size, all(256)),
  learningRate: row("clone", "", "learning rate", "this example", number(0, 1), all(1e-3)),
  width: row("clone", "", "hidden units", "this example", size, all(32)),
});

const cloning: Algorithm<hyperparameters.ValuesOf<typeof table>> = {
  name: "behavior-cloning",
  title: "Behavior cloning",
  citation: "Pomerleau: ALVINN, an Autonomous Land Vehicle in a Neural Network, 1988",
  hyperparameters: table,
  stages: [{
    name: "clone",
    product: "policy",
    needs: [],
    over: "seeds",
    groups: ["clone"],
    steps: "steps",
    batchSize: "batchSize",
    shown: ["loss"],
    evaluated: "mean",
    describe(graph, buffer, h) {
      const { observationSize, actionSize } = buffer;
      const hidden = [h.width, h.width];
      const shapes = mlpShapes({ inputs: [observationSize], hidden, outputs: actionSize });
      const heads = ["mean.net.", "log_std.net."]
        .flatMap((head) => shapes.map((shape) => ({ ...shape, name: head + shape.name })));
      const policy = new ParameterSet(graph, heads, graph.replicas);
      const batch = buffer.minibatch(graph, { rows: h.batchSize, stream: 16 });
      const [state, action] = [batch.state(), batch.action()];

      // −log N(a; μ(s), σ(s)) = Σ (½ z² + log σ) with z = (a − μ) / σ, up to a constant.
      const mu = mlp(graph, policy, state, "tanh", "mean.net.");
      const logSigma = clip(graph, mlp(graph, policy, state, "none", "log_std.net."), -5, 2);
      const z = divide(graph, subtract(graph, action, mu), exp(graph, logSigma));
      const entries = add(graph, scale(graph, multiply(graph, z, z), 0.5), logSigma);
      const loss = lossOf(graph, "loss", mean(graph, sumColumns(graph, entries)));
      const optimizer = minimize(graph, loss, policy, { learningRate: constant(h.learningRate) });
      const network = { prefixes: ["policy."], parameters: policy, optimizer };
      return { networks: [{ ...network, initial: numbered(0) }], tensors: {} };
    },
  }],
  actors: [{
    name: "mean",
    title: "Mean action",
    help: "the mean of the Gaussian",
    needs: ["clone"],
    prefix: "policy.mean.",
    options: {},
    act: ({ clone }) => networkPolicy(new Mlp(clone!, "policy.mean.net", "tanh")),
  }],
  sweeps: [],
  rewardRule: () => "none",
};

const task = findTask("maze2d-umaze-v1");
const data = await loadDataset([`${import.meta.dirname}/../data/${task.sample}`]);
const directory = await Deno.makeTempDir();
const h = table.valuesFor(task, "quick", Deno.args[0] ? { steps: Number(Deno.args[0]) } : {});
using engine = await Engine.open();
const run = { algorithm: cloning, data, task, hyperparameters: h, directory };
const [clone] = await trainAlgorithm(engine, run);
const losses = readMetrics(`${directory}/metrics.jsonl`).map(({ metrics }) => metrics["loss"]!);
console.log(`loss ${losses[0]!.toFixed(3)} at first, ${losses.at(-1)!.toFixed(3)} at last`);
const episodes = await evaluateHere(clone!.load().policy, task.name, evaluationSeeds(0, 2));
console.log(`returns ${episodes.map((episode) => episode.return).join(", ")}; ${directory}`);
