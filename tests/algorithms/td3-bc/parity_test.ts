/**
 * Compares every number of five steps of TD3+BC with the official code. `tests/fixtures/official`
 * describes the numbers and how they were made. Needs no permission.
 */
import { assert } from "@std/assert";
import numbers from "../../fixtures/official/td3_bc.safetensors" with { type: "bytes" };
import { agent } from "../../../lib/algorithms/td3-bc/agent.ts";
import { hyperparameterTable } from "../../../lib/algorithms/td3-bc/hyperparameters.ts";
import { writeInput } from "../../../lib/autodiff/compile.ts";
import { Engine } from "../../../lib/autodiff/engine.ts";
import { Graph } from "../../../lib/autodiff/graph.ts";
import type { ParameterValues } from "../../../lib/autodiff/parameters.ts";
import type { Tensor } from "../../../lib/autodiff/tensor.ts";
import { TrainingStep } from "../../../lib/autodiff/training_step.ts";
import type { Program } from "../../../lib/gpu/program.ts";
import { Fixture } from "../../support/fixtures.ts";

/** The module in the official code, and the number of its first layer, by network prefix. */
const modules: Readonly<Record<string, readonly [module: string, first: number]>> = {
  "critic.q1.": ["critic", 1],
  "critic.q2.": ["critic", 4],
  "critic_target.q1.": ["critic_target", 1],
  "critic_target.q2.": ["critic_target", 4],
  "actor.net.": ["actor", 1],
  "actor_target.net.": ["actor_target", 1],
};

/** Returns a parameter's official name: `critic.l5.weight` for `critic.q2.2.weight`. */
function officialName(prefix: string, name: string): string {
  const [module, first] = modules[prefix]!;
  const [place, kind] = name.split(".");
  return `${module}.l${first + Number(place) / 2}.${kind}`;
}

/** Collects the values that differ too much from the result in double precision. */
class Comparison {
  readonly #fixture: Fixture;
  readonly #failures: string[] = [];
  #compared = 0;

  constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  /**
   * * Checks that differences are at most `absolute` + `relative` · the tensor's largest entry.
   *
   * * @param entry The entry to compare. Defaults to all.
   */
  close(
    name: string,
    actual: ArrayLike<number>,
    { relative = 0, absolute = 0 }: { relative?: number; absolute?: number },
    entry?: number,
  ): void {
    const [exact, official] = [`f64.${name}`, name].map((each) => {
      const values = this.#fixture.get(each);
      return entry === undefined ? values : values.slice(entry, entry + 1);
    }) as [Float64Array, Float64Array];
    const error = (values: ArrayLike<number>) =>
      exact.reduce((worst, value, i) => {
        const difference = Math.abs(values[i]! - value);
        return difference <= worst ? worst : difference;
      }, 0);
    const limit = absolute + relative * Math.max(...exact.map(Math.abs));
    this.#compared++;
    if (actual.length !== exact.length || !(error(actual) <= limit)) {
      this.#failures.push(
        `${name}: off by ${error(actual)}, limit ${limit}; PyTorch's float32 by ${error(official)}`,
      );
    }
  }

  finish(): void {
    assert(this.#compared > 0, "nothing was compared");
    assert(this.#failures.length === 0, `\n${this.#failures.join("\n")}`);
  }
}

Deno.test("agent(): losses, gradients and weights of five steps match the official code", async () => {
  const fixture = new Fixture("td3_bc", numbers);
  const comparison = new Comparison(fixture);
  const [stateSize, actionSize, rows, width] = ["observations", "actions", "rows", "width"]
    .map((name) => Number(fixture.metadata(name))) as [number, number, number, number];
  const h = hyperparameterTable.valuesFor("locomotion", "paper", { width, batchSize: rows });

  const inputs: { readonly on: Graph; readonly tensor: Tensor; readonly name: string }[] = [];
  const input = (on: Graph, name: string, columns: number) => {
    const tensor = on.input(rows, columns);
    inputs.push({ on, tensor, name });
    return tensor;
  };
  // The recorded states are already normalized, so the agent gets the unnormalized ones.
  const mean = Float32Array.from({ length: stateSize }, (_, i) => i % 3 - 1);
  const variance = new Float32Array(stateSize).fill(4);
  const raw = (states: Float32Array) => states.map((s, i) => 2 * s + mean[i % stateSize]!);

  const graph = new Graph({ seeds: [0] });
  const { networks, more = [] } = agent(
    graph,
    {
      stateSize,
      actionSize,
      minibatch: (on) => ({
        state: () => input(on, "batch.s", stateSize),
        action: () => input(on, "batch.a", actionSize),
        reward: () => input(on, "batch.r", 1),
        terminal: () => input(on, "batch.d", 1),
        nextState: () => input(on, "batch.s_next", stateSize),
      }),
      noise: input(graph, "noise", actionSize),
      normalization: () => new Map([["mean", mean], ["var", variance]]),
    },
    h,
    [h.alpha],
  );

  using engine = await Engine.open();
  const graphs = [graph, ...more];
  const [critic, actor] = ["critic.q1.", "actor.net."].map((prefix) =>
    networks.find(({ prefixes }) => prefixes[0] === prefix)!
  );
  const kept = [critic!.optimizer!.gradient, actor!.optimizer!.gradient];
  const programs: Program[] = [];
  for (const [g, each] of graphs.entries()) programs.push(await engine.compile(each, [kept[g]!]));
  const training = new TrainingStep(graphs, programs);

  for (const { prefixes, parameters, initial } of networks) {
    prefixes.forEach((prefix, member) => {
      const start: ParameterValues = prefix in modules
        ? new Map(parameters.shapes.map(({ name }) => [
          name,
          fixture.f32(`init.${officialName(prefix, name)}`),
        ]))
        : initial!(parameters.shapes, 0, member);
      parameters.write(graph.store, member, start);
    });
  }

  const compareGradient = async (moment: string, network: typeof critic, g: number) => {
    const { prefixes, parameters } = network!;
    const values = await parameters.read(programs[g]!, kept[g]!.storage);
    prefixes.forEach((prefix, member) => {
      for (const { name } of parameters.shapes) {
        const official = `${moment}.${officialName(prefix, name)}`;
        comparison.close(official, values[member]!.get(name)!, { relative: 3e-5 });
      }
    });
  };
  const compareParameters = async (moment: string) => {
    for (const { prefixes, parameters } of networks.filter(({ prefixes: [p] }) => p! in modules)) {
      const values = await parameters.read();
      prefixes.forEach((prefix, member) => {
        for (const { name } of parameters.shapes) {
          const official = `${moment}.${officialName(prefix, name)}`;
          comparison.close(official, values[member]!.get(name)!, { absolute: 1e-5 });
        }
      });
    }
  };

  for (let step = 0; step < 5; step++) {
    for (const { on, tensor, name } of inputs) {
      const recorded = fixture.step(name, step);
      const isState = name === "batch.s" || name === "batch.s_next";
      writeInput(programs[graphs.indexOf(on)]!, tensor, isState ? raw(recorded) : recorded);
    }
    const [metrics] = await training.submit(step, 1);
    comparison.close("loss.critic", metrics!.loss_critic!, { relative: 1e-5 }, step);
    const delayed = step % 2 === 1;
    assert(delayed === (metrics!.loss_actor !== undefined), `the actor's update at step ${step}`);
    if (delayed) {
      comparison.close("loss.actor", metrics!.loss_actor!, { relative: 1e-5 }, (step - 1) / 2);
    }
    if (step === 0) await compareGradient("grad1", critic, 0);
    if (step === 1) await compareGradient("grad2", actor, 1);
    if ([0, 1, 4].includes(step)) await compareParameters(`after${step + 1}`);
  }
  comparison.finish();
});
