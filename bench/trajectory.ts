/**
 * Trains with the weights, rows and random numbers that `bench/peers/learning/trajectory.py`
 * recorded from an official code, and compares losses and weights:
 * `deno run -A bench/trajectory.ts FILE.safetensors…`.
 *
 * The tests compare five steps with small networks. This comparison covers what only happens later:
 * schedules, averages that start late, and limits that only trained networks reach.
 *
 * @module
 */
import { agent as diffusionQl } from "../lib/algorithms/diffusion-ql/agent.ts";
import { hyperparameterTable as diffusionQlTable } from "../lib/algorithms/diffusion-ql/hyperparameters.ts";
import { agent as idql } from "../lib/algorithms/idql/agent.ts";
import { hyperparameterTable as idqlTable } from "../lib/algorithms/idql/hyperparameters.ts";
import { behavior } from "../lib/algorithms/srpo/behavior.ts";
import { critic } from "../lib/algorithms/srpo/critic.ts";
import { hyperparameterTable as srpoTable } from "../lib/algorithms/srpo/hyperparameters.ts";
import { policy } from "../lib/algorithms/srpo/policy.ts";
import { agent as iql } from "../lib/algorithms/iql/agent.ts";
import { hyperparameterTable as iqlTable } from "../lib/algorithms/iql/hyperparameters.ts";
import { agent as td3Bc } from "../lib/algorithms/td3-bc/agent.ts";
import { hyperparameterTable as td3BcTable } from "../lib/algorithms/td3-bc/hyperparameters.ts";
import type { Stage } from "../lib/algorithms/algorithm.ts";
import { writeInput } from "../lib/autodiff/compile.ts";
import { Engine } from "../lib/autodiff/engine.ts";
import { Graph } from "../lib/autodiff/graph.ts";
import type { ParameterValues } from "../lib/autodiff/parameters.ts";
import type { Tensor } from "../lib/autodiff/tensor.ts";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { type Family, findTask } from "../lib/data/catalog.ts";
import { UserError } from "../lib/errors.ts";
import { formatTable } from "../lib/report/table.ts";
import { decode, type SafeTensors } from "../lib/runs/safetensors.ts";

/** The numbers of a recording, as inputs of graphs. */
class Recording {
  readonly steps: number;
  readonly rows: number;
  readonly #file: SafeTensors;
  readonly #inputs: { on: Graph; tensor: Tensor; name: string; part: number }[] = [];

  constructor(file: SafeTensors) {
    this.#file = file;
    [this.steps, this.rows] = [Number(file.metadata["steps"]), Number(file.metadata["rows"])];
  }

  values(name: string): Float32Array {
    const tensor = this.#file.tensors.get(name);
    if (tensor?.data instanceof Float32Array) return tensor.data;
    throw new UserError(`the recording has no float32 tensor ${name}; record it again`);
  }

  columns(name: string): number {
    return this.#file.tensors.get(name)!.shape.at(-1)!;
  }

  /** Returns an input. If a step has several parts `[rows, columns]`, `part` selects one. */
  input(on: Graph, name: string, part = 0): Tensor {
    const rows = this.#file.tensors.get(name)!.shape.length === 2 ? 1 : this.rows;
    const tensor = on.input(rows, this.columns(name));
    this.#inputs.push({ on, tensor, name, part });
    return tensor;
  }

  /** Writes the inputs of a step into the programs of the graphs. */
  write(step: number, programOf: (graph: Graph) => Parameters<typeof writeInput>[0]): void {
    for (const { on, tensor, name, part } of this.#inputs) {
      const values = this.values(name);
      const size = values.length / this.steps;
      const count = tensor.rows * tensor.columns;
      const first = step * size + part * count;
      writeInput(programOf(on), tensor, values.slice(first, first + count));
    }
  }

  batch(on: Graph) {
    const field = (name: string) => () => this.input(on, `batch.${name}`);
    return {
      state: field("s"),
      action: field("a"),
      reward: field("r"),
      terminal: field("d"),
      nextState: field("s_next"),
    };
  }

  transition(on: Graph) {
    const batch = this.batch(on);
    return {
      state: batch.state(),
      action: batch.action(),
      reward: batch.reward(),
      terminal: batch.terminal(),
      nextState: batch.nextState(),
    };
  }
}

/**
 * Returns SRPO's values of the quick preset, but the sizes of the recordings and the official
 * code's rates, which the preset replaces by some for few steps.
 */
function srpoValues(family: Family, steps: number) {
  return srpoTable.valuesFor(family, "quick", {
    criticSteps: steps,
    criticWidth: 64,
    targetRate: 0.005,
    behaviorWidth: 64,
    behaviorBlocks: 2,
    behaviorLearningRate: 3e-4,
    behaviorSchedule: "constant",
    policySteps: steps,
    policyWidth: 64,
  });
}

/** Describes each algorithm on a recording, with the values of the quick preset. */
const algorithms: Readonly<
  Record<string, (graph: Graph, from: Recording, family: Family) => Stage>
> = {
  "srpo-critic"(graph, from, family) {
    return critic(graph, from.transition(graph), srpoValues(family, from.steps));
  },
  "srpo-behavior"(graph, from, family) {
    const h = srpoValues(family, from.steps);
    const batch = from.batch(graph);
    const inputs = {
      state: batch.state(),
      action: batch.action(),
      times: { given: from.input(graph, "draw.time") },
      noise: { given: from.input(graph, "draw.normal") },
      dropout: (block: number) => ({
        rate: h.behaviorDropout,
        keep: { mask: from.input(graph, `draw.keep${block}`) },
      }),
    };
    return behavior(graph, inputs, h);
  },
  "srpo-policy"(graph, from, family) {
    const inputs = {
      state: from.batch(graph).state,
      times: { given: from.input(graph, "draw.time") },
      noise: { given: from.input(graph, "draw.normal") },
    };
    const actions = from.columns("draw.normal");
    return policy(graph, inputs, actions, srpoValues(family, from.steps));
  },
  iql(graph, from, family) {
    const h = iqlTable.valuesFor(family, "quick", { steps: from.steps });
    return iql(graph, from.transition(graph), h, [h]);
  },
  idql(graph, from, family) {
    const h = idqlTable.valuesFor(family, "quick", { steps: from.steps });
    const inputs = {
      ...from.transition(graph),
      time: from.input(graph, "draw.time"),
      noise: from.input(graph, "draw.normal"),
    };
    return idql(graph, inputs, h, [h]);
  },
  "td3-bc"(graph, from, family) {
    const h = td3BcTable.valuesFor(family, "quick");
    const [stateSize, actionSize] = [from.columns("batch.s"), from.columns("batch.a")];
    const inputs = {
      stateSize,
      actionSize,
      minibatch: (on: Graph) => from.batch(on),
      noise: from.input(graph, "draw.normal"),
      // The recorded states are already normalized.
      normalization: (): ParameterValues =>
        new Map([
          ["mean", new Float32Array(stateSize)],
          ["var", new Float32Array(stateSize).fill(1)],
        ]),
    };
    return td3Bc(graph, inputs, h, [h.alpha]);
  },
  "diffusion-ql"(graph, from, family) {
    const h = diffusionQlTable.valuesFor(family, "quick");
    // Draws of a step in order: the next states' chains, the noise, the actor's chains.
    const [noise, chain] = [h.diffusionSteps + 1, h.diffusionSteps + 2];
    const normal = (k: number) => from.input(graph, "draw.normal", k);
    // The official code maximizes the first Q-network if its coin is above one half.
    const head = from.input(graph, "draw.head");
    const inputs = {
      ...from.transition(graph),
      time: from.input(graph, "draw.time"),
      noise: normal(noise),
      nextChain: normal,
      chain: (k: number) => normal(chain + k),
      head,
    };
    return diffusionQl(graph, inputs, h, [h.eta]);
  },
};

async function compare(engine: Engine, path: string): Promise<void> {
  const file = decode(await Deno.readFile(path), path);
  const { algorithm = "", task = "" } = file.metadata;
  const describe = algorithms[algorithm];
  if (describe === undefined) {
    throw new UserError(`${path}: not a recording of bench/peers/learning/trajectory.py`);
  }
  const recording = new Recording(file);
  const graph = new Graph({ seeds: [0] });
  const { networks, more = [] } = describe(graph, recording, findTask(task).family);
  const graphs = [graph, ...more];
  using training = await engine.compileStep(graphs);
  for (const { prefixes, parameters, initial } of networks) {
    for (const [member, prefix] of prefixes.entries()) {
      const recorded = parameters.shapes.every(({ name }) =>
        file.tensors.has(`init.${prefix}${name}`)
      );
      const values = recorded
        ? new Map(
          parameters.shapes.map(({ name }) =>
            [name, recording.values(`init.${prefix}${name}`)] as const
          ),
        )
        : initial!(parameters.shapes, 0, member);
      parameters.write(graph.store, member, values);
    }
  }

  const losses = new Map<string, number[]>();
  for (let step = 0; step < recording.steps; step++) {
    recording.write(step, (on) => training.programs[graphs.indexOf(on)]!);
    const [metrics] = await training.submit(step, 1);
    for (const [name, [value]] of Object.entries(metrics!)) {
      if (file.tensors.has(`loss.${name}`)) losses.set(name, [...losses.get(name) ?? [], value!]);
    }
  }
  console.log(`\n${algorithm}, ${task}: ${recording.steps} steps of ${recording.rows} rows`);
  console.log(formatTable(
    ["loss", "this program", "official code"],
    [...losses].map(([name, values]) => [
      name,
      meanOfLast(values).toPrecision(6),
      meanOfLast([...recording.values(`loss.${name}`)]).toPrecision(6),
    ]),
  ));

  const rows: string[][] = [];
  for (const { prefixes, parameters } of networks) {
    const found = await parameters.read();
    for (const [member, prefix] of prefixes.entries()) {
      let [apart, moved] = [0, 0];
      for (const [name, values] of found[member]!) {
        if (!file.tensors.has(`init.${prefix}${name}`)) continue;
        const [before, after] = ["init", "after"].map((moment) =>
          recording.values(`${moment}.${prefix}${name}`)
        ) as [Float32Array, Float32Array];
        values.forEach((value, i) => {
          apart += (value - after[i]!) ** 2;
          moved += (after[i]! - before[i]!) ** 2;
        });
      }
      if (moved > 0) rows.push([prefix.slice(0, -1), Math.sqrt(apart / moved).toExponential(1)]);
    }
  }
  console.log(formatTable(["network", "distance / distance moved"], rows));
}

function meanOfLast(values: readonly number[]): number {
  const last = values.slice(-100);
  return last.reduce((total, value) => total + value, 0) / last.length;
}

async function trajectory(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) {
    throw new UserError("usage: deno run -A bench/trajectory.ts FILE.safetensors…");
  }
  using engine = await Engine.open();
  for (const path of paths) await compare(engine, path);
  console.log(
    "Losses are means over the last 100 steps. A network's distance to the official one is divided " +
      "by the distance that the\nofficial one has moved since its initial weights.",
  );
}

const command = { summary: "compare with a recording", load: () => Promise.resolve(trajectory) };
if (import.meta.main) {
  Deno.exit(await runCommandLine({ trajectory: command }, ["trajectory", ...Deno.args]));
}
