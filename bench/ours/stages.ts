/**
 * The three stages in our engine. For timing they train on a synthetic data set. For the comparison
 * of losses they use the sample batch with given times, noise and dropout masks.
 *
 * @module
 */
import type { Engine } from "../../lib/autodiff/engine.ts";
import { writeInput } from "../../lib/autodiff/compile.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";
import type { ParameterSet, ParameterValues } from "../../lib/autodiff/parameters.ts";
import type { Tensor } from "../../lib/autodiff/tensor.ts";
import type { Program } from "../../lib/gpu/program.ts";
import { initialize } from "../../lib/nn/initialization.ts";
import { behavior } from "../../lib/algorithms/srpo/behavior.ts";
import { critic } from "../../lib/algorithms/srpo/critic.ts";
import {
  type Hyperparameters,
  hyperparametersFor,
} from "../../lib/algorithms/srpo/hyperparameters.ts";
import { policy } from "../../lib/algorithms/srpo/policy.ts";
import type { Stage } from "../../lib/algorithms/algorithm.ts";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { coins, dataRows, hopper, samples, sampleSeeds } from "../support/samples.ts";
import type { StepTask } from "../support/tasks.ts";

const { observations, actions } = hopper;

/** The paper's hyperparameters, or tiny networks and batches. */
function hyperparametersOf({ tiny }: StepTask): Hyperparameters {
  return hyperparametersFor("locomotion", "paper", {
    beta: 0.05,
    ...(tiny && {
      criticWidth: 8,
      criticBatchSize: 8,
      behaviorWidth: 8,
      behaviorBatchSize: 8,
      fourierFrequencies: 4,
      embeddingWidth: 8,
      policyWidth: 8,
      policyBatchSize: 8,
    }),
  });
}

const buffers = new WeakMap<Engine, ReplayBuffer>();

/** The synthetic data set, uploaded once. */
function bufferOf(engine: Engine): ReplayBuffer {
  let buffer = buffers.get(engine);
  if (!buffer) {
    buffer = new ReplayBuffer(engine.gpu, {
      rows: dataRows,
      observationSize: observations,
      actionSize: actions,
      observations: samples(sampleSeeds.state, dataRows * observations),
      actions: samples(sampleSeeds.action, dataRows * actions),
      terminals: coins(sampleSeeds.terminal, dataRows, 0.002),
      transitions: Uint32Array.from({ length: dataRows - 1 }, (_, row) => row),
    }, samples(sampleSeeds.reward, dataRows));
    buffers.set(engine, buffer);
  }
  return buffer;
}

/** Compiles a stage as in training: minibatches, times, noise and masks are drawn on the GPU. */
export async function timedStage(engine: Engine, task: StepTask): Promise<Program> {
  const graph = new Graph({ seeds: Array.from({ length: task.seeds ?? 1 }, (_, seed) => seed) });
  const h = hyperparametersOf(task);
  const { describe } = srpo.stages.find(({ name }) => name === task.step)!;
  const stage = await describe(graph, bufferOf(engine), h, graph.seeds.map(() => h));
  const program = await engine.compile(graph);
  stage.networks.forEach(({ parameters }, family) => {
    for (let replica = 0; replica < parameters.replicas; replica++) {
      parameters.write(program, replica, initialize(parameters.shapes, replica, family));
    }
  });
  return program;
}

/** Compiles a stage for the sample batch, starting from the sample weights. */
export async function sampleStage(
  engine: Engine,
  task: StepTask,
): Promise<{ program: Program; graph: Graph }> {
  const h = hyperparametersOf(task);
  const graph = new Graph({ seeds: [0] });
  const inputs: [Tensor, Float32Array][] = [];
  const given = (rows: number, columns: number, values: Float32Array): Tensor => {
    const tensor = graph.input(rows, columns);
    inputs.push([tensor, values]);
    return tensor;
  };
  const field = (seed: number, rows: number, columns: number) =>
    given(rows, columns, samples(seed, rows * columns));
  const times = (rows: number, low: number, high: number) =>
    given(
      rows,
      1,
      samples(sampleSeeds.time, rows).map((x) => low + (high - low) * (x + 1) / 2),
    );

  let stage: Stage;
  switch (task.step) {
    case "critic": {
      const rows = h.criticBatchSize;
      stage = critic(graph, {
        state: field(sampleSeeds.state, rows, observations),
        action: field(sampleSeeds.action, rows, actions),
        reward: field(sampleSeeds.reward, rows, 1),
        terminal: given(rows, 1, coins(sampleSeeds.terminal, rows, 0.1)),
        nextState: field(sampleSeeds.nextState, rows, observations),
      }, h);
      break;
    }
    case "behavior": {
      const rows = h.behaviorBatchSize;
      const keep = 1 - h.behaviorDropout;
      const masks = Array.from({ length: h.behaviorBlocks }, (_, block) =>
        given(
          rows,
          h.behaviorWidth,
          coins(sampleSeeds.keep + block, rows * h.behaviorWidth, keep),
        ));
      stage = behavior(graph, {
        state: field(sampleSeeds.state, rows, observations),
        action: field(sampleSeeds.action, rows, actions),
        times: { given: times(rows, h.behaviorMinTime, h.behaviorMaxTime) },
        noise: { given: field(sampleSeeds.noise, rows, actions) },
        dropout: (block) => ({ rate: h.behaviorDropout, keep: { mask: masks[block]! } }),
      }, h);
      break;
    }
    default: {
      const rows = h.policyBatchSize;
      const state = field(sampleSeeds.state, rows, observations);
      stage = policy(
        graph,
        {
          state: () => state,
          times: { given: times(rows, h.policyMinTime, h.policyMaxTime) },
          noise: { given: field(sampleSeeds.noise, rows, actions) },
        },
        actions,
        h,
      );
    }
  }
  const program = await engine.compile(graph);
  for (const [tensor, values] of inputs) writeInput(program, tensor, values);
  for (const { prefixes, parameters } of stage.networks) {
    prefixes.forEach((prefix, replica) =>
      parameters.write(program, replica, sampleValues(parameters, prefix, h))
    );
  }
  return { program, graph };
}

/** Returns the sample weights of the network with this state dict prefix. */
function sampleValues(
  parameters: ParameterSet,
  prefix: string,
  h: Hyperparameters,
): ParameterValues {
  const { shapes } = parameters;
  if (shapes[0]!.name.endsWith(".W")) {
    const values = samples(sampleSeeds.frequencies, h.fourierFrequencies)
      .map((x) => h.fourierScale * x);
    return new Map([[shapes[0]!.name, values]]);
  }
  const seed = prefix.endsWith("q1.")
    ? sampleSeeds.q
    : prefix.endsWith("q2.")
    ? sampleSeeds.q + 100
    : prefix === "vf.v."
    ? sampleSeeds.v
    : prefix === "diffusion."
    ? sampleSeeds.behavior
    : sampleSeeds.policy;
  let inputs = 0;
  return new Map(shapes.map(({ name, rows, segments, vector }, i) => {
    const columns = segments.reduce((total, width) => total + width, 0);
    if (name.includes("layer_norm")) {
      return [name, new Float32Array(columns).fill(name.endsWith("weight") ? 1 : 0)];
    }
    if (!vector) inputs = columns;
    return [name, samples(seed + i, rows * columns).map((x) => x / Math.sqrt(inputs))];
  }));
}
