/**
 * Trains SRPO with a custom reward: in the bundled maze data, a goal at the other end of the maze
 * replaces D4RL's goal. Run it with `deno run -A examples/own_reward.ts [steps per stage]`. The
 * steps default to those of the preset `quick`, which take some minutes on two CPU cores.
 */
import { Engine, evaluateHere, evaluationSeeds, findAlgorithm, findTask } from "../mod.ts";
import { loadDataset, standardError, trainAlgorithm } from "../mod.ts";

const goal = { x: 3, y: 1 };
const reward = (x: number, y: number) => Math.hypot(x - goal.x, y - goal.y) < 0.5 ? 1 : 0;

// An observation is [x, y, velocity x, velocity y].
const task = findTask("maze2d-umaze-v1");
const recorded = await loadDataset([`${import.meta.dirname}/../data/${task.sample}`]);
const { rows, observations, observationSize } = recorded;
const rewards = Float32Array.from({ length: rows }, (_, row) => {
  const [x, y] = observations.subarray(row * observationSize);
  return reward(x!, y!);
});

const srpo = findAlgorithm("srpo");
const steps = Deno.args[0] === undefined ? undefined : Number(Deno.args[0]);
const budget = { criticSteps: steps, behaviorSteps: steps, policySteps: steps };
using engine = await Engine.open();
const [trained] = await trainAlgorithm(engine, {
  algorithm: srpo,
  data: { ...recorded, rewards },
  task,
  hyperparameters: srpo.hyperparameters.valuesFor(task, "quick", budget),
  directory: await Deno.makeTempDir(),
  progress: standardError(),
});

// The environment rewards D4RL's goal, so the custom reward is computed from the positions.
let [paid, played] = [0, 0];
const { policy } = trained!.load();
await evaluateHere(policy, task.name, evaluationSeeds(0, 4), {
  positions(episodes, qpos) {
    played += episodes.length;
    episodes.forEach((_, i) => paid += reward(qpos[2 * i]!, qpos[2 * i + 1]!));
  },
});
const percent = (part: number, whole: number) => `${(100 * part / whole).toFixed(1)} %`;
console.log(
  `data    ${percent(rewards.reduce((a, b) => a + b, 0), rows)} of the steps at the goal`,
);
console.log(`policy  ${percent(paid, played)} of the steps at the goal`);
