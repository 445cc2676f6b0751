/**
 * Trains the maze demo in a worker: SRPO's critic, behavior model and policy on D4RL's
 * `maze2d-umaze`, from the bundled sample.
 *
 * @module
 */
import { hyperparametersFor } from "../algorithms/srpo/hyperparameters.ts";
import { srpo } from "../algorithms/srpo/algorithm.ts";
import { findTask } from "../data/catalog.ts";
import { loadDataset, type OfflineDataset } from "../data/dataset.ts";
import { filesInMemory } from "../data/memory_hdf5.ts";
import { takeFilesFrom } from "../data/open_hdf5.ts";
import { readingOptions } from "../data/own_task.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { shapeRewards } from "../data/rewards.ts";
import { UserError } from "../errors.ts";
import { summarize } from "../envs/evaluation.ts";
import { takeBinaryFrom } from "../envs/mujoco/simulation.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { rollout } from "../envs/rollout.ts";
import { evaluationSeeds } from "../envs/seeds.ts";
import type { Policy } from "../nn/host/policy.ts";
import { drawnMaze } from "../report/drawn_maze.ts";
import { mazePanels } from "../report/maze.ts";
import { type StageTensors, trainInMemory } from "../runs/train_in_memory.ts";
import type { MazeRequest, ShownTable } from "./messages.ts";
import { type Gate, Pace, StepLog, type TaskContext } from "./task.ts";

/** Files beside the page. */
const files = { data: "maze2d-umaze-100k.hdf5", physics: "mujoco.wasm" } as const;
/** Episodes per policy in the table, as in the demo of the command line. */
const episodes = 20;

const task = findTask("maze2d-umaze-v1");
/** The actors that are single networks: they act fast enough to be drawn while they are trained. */
const actors = srpo.actors.filter(({ prefix }) => prefix !== undefined);

let loading: Promise<OfflineDataset> | undefined;

/**
 * Trains and reports the maze's panels while they change.
 *
 * @returns The closing message; null if the task was stopped.
 */
export async function mazeTask(
  { seed, hyperparameters }: MazeRequest,
  { engine, gate, post }: TaskContext,
): Promise<string | null> {
  const h = hyperparametersFor(task, "quick", hyperparameters);
  post({ kind: "note", text: "Loading the data and the physics …" });
  const data = await (loading ??= load());
  const buffer = new ReplayBuffer(engine.gpu, data, shapeRewards(data, srpo.rewardRule(h)));
  const log = new StepLog(post);
  const pace = new Pace();
  const show = async (tensors: StageTensors) => {
    const value = srpo.value!.of(tensors[srpo.value!.stage]!);
    const drawn = await drawnMaze(task.name, data, value, policiesOf(tensors));
    const panels = mazePanels(drawn).map((svg) => ({ title: "", note: "", svg }));
    post({ kind: "panels", panels });
  };
  try {
    const trained = await trainInMemory({
      engine,
      algorithm: srpo,
      hyperparameters: h,
      buffer,
      seed,
    }, {
      onStep: (stage, step, steps, metrics) => {
        const { shown } = srpo.stages.find(({ name }) => name === stage)!;
        const own = shown.flatMap((name) => metrics[name] ? [[name, metrics[name][0]!]] : []);
        log.add(stage, step, steps, Object.fromEntries(own));
      },
      shouldStop: () => gate.stopped,
      between: async (stage, read) => {
        log.flush();
        // The behavior model is no part of what is drawn.
        if (actors.some(({ needs }) => needs.includes(stage))) {
          await pace.run(async () => show(await read()));
        }
        await gate.pass();
      },
    });
    log.flush();
    if (trained === null) return null;
    await show(trained);
    post({ kind: "note", text: `Playing ${episodes} episodes with each policy …` });
    const table = await scoresOf(trained, gate);
    if (table === null) return null;
    post({ kind: "table", table });
    return "Finished. AWR is the critic stage's own policy.";
  } finally {
    buffer.destroy();
  }
}

async function load(): Promise<OfflineDataset> {
  try {
    takeBinaryFrom(() => fetched(files.physics));
    takeFilesFrom(filesInMemory(new Map([[files.data, await fetched(files.data)]])));
    return await loadDataset([files.data], readingOptions(task));
  } catch (error) {
    loading = undefined; // Try again when asked again.
    throw error;
  }
}

async function fetched(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(new URL(name, import.meta.url)).catch(() => null);
  if (!response?.ok) {
    throw new UserError(
      `${name} cannot be loaded (${response?.status ?? "no answer"}); it must lie beside the page`,
    );
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** Returns the policies whose networks are there, by title. */
function policiesOf(tensors: StageTensors): Map<string, Policy> {
  return new Map(
    actors.filter(({ needs }) => needs.every((stage) => stage in tensors))
      .map((actor) => [actor.title, actor.act(tensors, {})]),
  );
}

/** Plays each policy. Returns null if the task was stopped between two of them. */
async function scoresOf(tensors: StageTensors, gate: Gate): Promise<ShownTable | null> {
  const rows = [];
  const environment = await makeEnvironment(task.name, episodes);
  try {
    for (const [title, policy] of policiesOf(tensors)) {
      await gate.pass();
      if (gate.stopped) return null;
      const played = await rollout(environment, policy, evaluationSeeds(0, episodes));
      const { score, reachedGoal } = summarize(task.name, played, task.referenceReturn);
      rows.push([title, score!.mean.toFixed(1), `${reachedGoal} of ${episodes}`]);
    }
  } finally {
    await environment.close();
  }
  return { header: ["policy", "D4RL score", "reached the goal"], rows };
}
