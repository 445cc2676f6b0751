/**
 * A custom algorithm for tests, which is not registered. It learns values by temporal differences,
 * and
 * then an actor that imitates blurred actions of the data. It uses what SRPO does not: an actor
 * that is
 * updated in every second step, averaged weights in both stages, and a program that draws actions
 * from
 * the average during training.
 *
 * @module
 */
import type { Algorithm } from "../../lib/algorithms/algorithm.ts";
import {
  all,
  HyperparameterTable,
  integer,
  number,
  row,
  type ValuesOf,
} from "../../lib/algorithms/hyperparameters.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { fourierFeatures } from "../../lib/autodiff/ops/fourier_features.ts";
import { noising } from "../../lib/autodiff/ops/noising.ts";
import { meanSquaredError } from "../../lib/autodiff/ops/squared_error.ts";
import { temporalDifferenceLoss } from "../../lib/algorithms/losses/temporal_difference.ts";
import { ParameterSet } from "../../lib/autodiff/parameters.ts";
import { Mlp } from "../../lib/nn/host/mlp.ts";
import { networkPolicy } from "../../lib/nn/host/policy.ts";
import { frequencyValues, numbered } from "../../lib/nn/initialization.ts";
import { mlp, mlpShapes } from "../../lib/nn/mlp.ts";
import { constant, minimize } from "../../lib/optim/adam.ts";
import { movingAverage } from "../../lib/optim/average.ts";

const steps = integer(1, 1000);
const table = new HyperparameterTable({
  valueSteps: row("values", "", "steps", "this test", steps, all(20)),
  valueRows: row("values", "", "rows per minibatch", "this test", steps, all(8)),
  controlSteps: row("control", "", "steps", "this test", steps, all(31)),
  controlRows: row("control", "", "rows per minibatch", "this test", steps, all(8)),
  blur: row("control", "", "diffusion time of the blur", "this test", number(0.01, 1), all(0.1)),
});

const rate = constant(0.01);
const streams = { values: 101, judged: 102, imitated: 103, time: 104, noise: 105, drawn: 106 };

/** The algorithm. */
export const imitation: Algorithm<ValuesOf<typeof table>> = {
  name: "imitation",
  title: "Imitation",
  citation: "a test of this project",
  hyperparameters: table,
  stages: [
    {
      name: "values",
      product: "value",
      needs: [],
      over: "seeds",
      groups: ["values"],
      steps: "valueSteps",
      batchSize: "valueRows",
      shown: ["loss_v"],
      describe(graph, buffer, h) {
        const shapes = mlpShapes({ inputs: [buffer.observationSize], hidden: [6], outputs: 1 });
        const v = new ParameterSet(graph, shapes, graph.replicas);
        const slow = new ParameterSet(graph, shapes, graph.replicas);
        const batch = buffer.minibatch(graph, { rows: h.valueRows, stream: streams.values });
        const loss = temporalDifferenceLoss(graph, "loss_v", mlp(graph, v, batch.state()), {
          reward: batch.reward(),
          terminal: batch.terminal(),
          nextValue: mlp(graph, slow, batch.nextState()),
        }, 0.9);
        const target = { parameters: slow, rate: constant(0.1) };
        const optimizer = minimize(graph, loss, v, { learningRate: rate, target });
        return {
          networks: [
            { prefixes: ["value."], parameters: v, optimizer, initial: numbered(0) },
            { prefixes: ["slow_value."], parameters: slow, initial: numbered(0) },
          ],
          tensors: {},
        };
      },
    },
    {
      name: "control",
      product: "actor",
      needs: ["values"],
      over: "variants",
      groups: ["control"],
      steps: "controlSteps",
      batchSize: "controlRows",
      shown: ["loss_judge", "loss_actor", "error_drawn"],
      evaluated: "imitator",
      describe(graph, buffer, h, variants) {
        const { seeds, store, replicas } = graph;
        const rows = h.controlRows;
        const inputs = [buffer.observationSize];
        const valueShapes = mlpShapes({ inputs, hidden: [6], outputs: 1 });
        const actorShapes = mlpShapes({ inputs, hidden: [6], outputs: buffer.actionSize });
        const judge = new ParameterSet(store, valueShapes, replicas);
        const value = new ParameterSet(store, valueShapes, replicas);
        const actor = new ParameterSet(store, actorShapes, replicas);
        const average = new ParameterSet(store, actorShapes, replicas);
        const frequencies = new ParameterSet(
          store,
          [{ name: "W", rows: 1, segments: [4], vector: true }],
          replicas,
        );

        // Runs in every step.
        const judged = buffer.minibatch(graph, { rows, stream: streams.judged });
        const judgeLoss = meanSquaredError(
          graph,
          "loss_judge",
          mlp(graph, judge, judged.state()),
          mlp(graph, value, judged.state()),
        );
        const judgeOptimizer = minimize(graph, judgeLoss, judge, { learningRate: rate });

        // Runs in every second step.
        const second = new Graph({ seeds, store, every: 2 });
        const imitated = buffer.minibatch(second, { rows, stream: streams.imitated });
        const range = (replica: number) =>
          [variants[replica]!.blur, variants[replica]!.blur] as const;
        const times = { stream: streams.time, rows, range };
        const { t } = fourierFeatures(second, times, frequencies.get("W"));
        const { xt } = noising(second, imitated.action(), t, { stream: streams.noise });
        const action = mlp(second, actor, imitated.state(), "tanh");
        const actorLoss = meanSquaredError(second, "loss_actor", action, xt);
        const actorOptimizer = minimize(second, actorLoss, actor, { learningRate: rate });
        movingAverage(second, actor, { parameters: average, rate: constant(0.2) });

        // Draws actions at intervals and reports their distance from the data's.
        const sampler = new Graph({ seeds, store, every: 3, first: 0 });
        const drawn = buffer.minibatch(sampler, { rows, stream: streams.drawn });
        const sampled = mlp(sampler, average, drawn.state(), "tanh");
        meanSquaredError(sampler, "error_drawn", sampled, drawn.action());

        return {
          networks: [
            {
              prefixes: ["judge."],
              parameters: judge,
              optimizer: judgeOptimizer,
              initial: numbered(1),
            },
            {
              prefixes: ["actor.net."],
              parameters: actor,
              optimizer: actorOptimizer,
              initial: numbered(2),
            },
            { prefixes: ["average.net."], parameters: average, initial: numbered(2) },
            { prefixes: ["time."], parameters: frequencies, initial: frequencyValues(1) },
            { prefixes: ["slow_value."], parameters: value },
          ],
          more: [second, sampler],
          tensors: {},
        };
      },
    },
  ],
  actors: [{
    name: "imitator",
    title: "Imitator",
    help: "the averaged actor",
    needs: ["control"],
    prefix: "average.",
    options: {},
    act: ({ control }) => networkPolicy(new Mlp(control!, "average.net", "tanh")),
  }],
  sweeps: [{
    list: "blurs",
    hyperparameter: "blur",
    label: "blur",
    help: "An actor for each blur",
    symbol: "t",
    text: (value) => `t = ${value}`,
  }],
  rewardRule: () => "none",
};
