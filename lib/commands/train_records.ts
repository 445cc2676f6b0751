/**
 * What `train` records of a run before it begins: its settings, and the checkpoints that replace
 * stages.
 *
 * @module
 */
import { dirname } from "node:path";
import { Graph } from "../autodiff/graph.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import type { ReplayBuffer } from "../data/replay_buffer.ts";
import type { AdapterDescription } from "../gpu/device.ts";
import type { Target } from "../gpu/target.ts";
import type { GivenCheckpoint } from "../runs/config.ts";
import { RunDirectory } from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { checkEarlier, type Checkpoint } from "../runs/networks.ts";
import { readGivenCheckpoint } from "../runs/official_checkpoint.ts";
import {
  allReplicas,
  type ReplicaAxes,
  replicasOf,
  stageOf,
  writeConfigs,
} from "../runs/replicas.ts";
import { recordOfOwn } from "../runs/run_task.ts";
import { decode } from "../runs/safetensors.ts";
import { fileHash } from "../runs/stage_cache.ts";
import { version } from "../version.ts";
import type { Plan } from "./train_plan.ts";

/**
 * Writes `config.json` to the run directory and to the folder of every seed and variant. For a
 * resumed run, updates only what flags of this call may change.
 */
export async function recordConfigs(
  axes: ReplicaAxes,
  plan: Plan,
  data: OfflineDataset,
  sha256: string,
  adapter: AdapterDescription & Target,
): Promise<void> {
  const { evaluation, cache } = plan;
  if (plan.resumed) {
    // Only the fields that flags of this call may change are updated.
    const write = async (directory: RunDirectory) => {
      const recorded = directory.readConfig();
      const data = { ...recorded.data, file: realPaths(plan.paths) };
      await directory.writeConfig({
        ...recorded,
        ...(plan.changes.length > 0 && {
          version,
          adapter: { ...adapter },
          earlier: [
            ...recorded.earlier ?? [],
            { version: recorded.version, adapter: recorded.adapter },
          ],
        }),
        data,
        evaluation,
        cache,
      });
    };
    const paths = new Set([
      axes.directory.path,
      ...allReplicas(axes).map(({ directory }) => directory.path),
    ]);
    for (const path of paths) await write(new RunDirectory(path));
    return;
  }
  await writeConfigs(axes, {
    version,
    deno: Deno.version.deno,
    algorithm: plan.algorithm.name,
    task: plan.task.name,
    stages: plan.stages,
    preset: plan.preset,
    data: {
      file: realPaths(plan.paths),
      sha256,
      rows: data.rows,
    },
    adapter: { ...adapter },
    evaluation,
    cache,
    ...(plan.task.own && { environment: recordOfOwn(plan.task.own) }),
    given: givenOf(plan),
    ...(axes.variants.length > 0 && { sweep: { ...plan.sweep } }),
  });
}

/** Returns a data set's files as recorded in `config.json`. */
function realPaths(paths: readonly string[]): string {
  return paths.map((path) => Deno.realPathSync(path)).join(",");
}

/** Returns the origin of the checkpoints that replace stages. */
function givenOf({ given, seeds, from }: Plan): GivenCheckpoint[] {
  return Object.entries(given).flatMap(([stage, file]) =>
    seeds.map((seed) => ({
      stage,
      seed,
      run: from === undefined ? null : Deno.realPathSync(from),
      file: Deno.realPathSync(file(seed)),
      sha256: fileHash(file(seed)),
    }))
  );
}

/**
 * Checks that the checkpoints which replace stages have the networks that the trained stages need.
 *
 * @param buffer The data set, or an outline of it.
 * @throws {UserError} A network is missing, or its sizes or values are wrong.
 */
export async function checkGiven(
  axes: ReplicaAxes,
  { given, stages }: Plan,
  buffer: ReplayBuffer,
): Promise<void> {
  if (Object.keys(given).length === 0) return;
  for (const stage of stages) {
    const definition = stageOf(axes.algorithm, stage);
    const [replica] = replicasOf(axes, definition);
    const { seed, hyperparameters } = replica!;
    const { networks } = await definition.describe(
      new Graph({ seeds: [seed] }),
      buffer,
      axes.hyperparameters,
      [hyperparameters],
    );
    for (const each of axes.seeds) {
      const checkpoints = definition.needs.map(async (need): Promise<Checkpoint> => {
        const path = given[need]!(each);
        const bytes = await readGivenCheckpoint(path, stageOf(axes.algorithm, need));
        return { path, file: decode(bytes, path), step: null };
      });
      checkEarlier(stage, networks, await Promise.all(checkpoints));
    }
  }
}

/** Copies the checkpoints that replace stages into the run directory. */
export async function takeGiven(axes: ReplicaAxes, { given }: Plan): Promise<void> {
  for (const [stage, file] of Object.entries(given)) {
    const definition = stageOf(axes.algorithm, stage);
    for (const { seed, directory } of replicasOf(axes, definition)) {
      Deno.mkdirSync(dirname(directory.checkpoint(stage)), { recursive: true });
      const checkpoint = await readGivenCheckpoint(file(seed), definition);
      await writeAtomic(directory.checkpoint(stage), checkpoint);
    }
  }
}
