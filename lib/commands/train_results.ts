/**
 * The results of `train`: evaluations, statistics, costs of an action, and pictures.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { Placement } from "../nn/placement.ts";
import { readMetrics } from "../runs/metrics.ts";
import type { ReplicaAxes } from "../runs/replicas.ts";
import { evaluationsOf, lastLosses, type Results, writeResults } from "../runs/results.ts";
import type { StageResult } from "../runs/run.ts";
import { runId } from "../runs/identity.ts";
import type { DrawnEpisodes } from "./drawn_episodes.ts";
import { evaluatedActors, evaluationStatistics, referencesOf } from "./train_evaluation.ts";
import type { Plan } from "./train_plan.ts";
import { type ActionCosts, costsOf, policiesOf } from "./trained_policies.ts";

/**
 * Writes a run's results. If the run has finished, it also measures the costs of an action and
 * draws the pictures.
 *
 * @param drawn The evaluation's episodes; without evaluations, the pictures show none.
 */
export async function makeResults(
  axes: ReplicaAxes,
  plan: Plan,
  data: OfflineDataset,
  { target }: Engine,
  outcomes: readonly StageResult[],
  drawn: DrawnEpisodes,
  finished: boolean,
): Promise<Results> {
  const { directory } = axes;
  const { task } = plan;
  await using placement = new Placement({ target });
  const policies = finished ? await policiesOf(axes, placement) : new Map();
  const found = resultsOf(axes, plan, data, outcomes, finished, await costsOf(policies));
  let pictures: string[] = [];
  if (finished) {
    // Loaded here because the plotting library takes longer to load than the rest of the program.
    const { drawRun } = await import("./train_pictures.ts");
    const titled = found.actors.flatMap(({ policy, title }) =>
      policies.has(policy) ? [[title, policies.get(policy)!] as const] : []
    );
    const played = plan.evaluation.episodes === 0
      ? null
      : drawn.of(found.actors, found.evaluations);
    pictures = await drawRun(axes, task, data, found.statistics, new Map(titled), played);
  }
  const results = { run_id: runId(directory.readConfig()), ...found, pictures };
  await writeResults(directory.results, results);
  return results;
}

/** Returns a run's results, without pictures. */
function resultsOf(
  axes: ReplicaAxes,
  { algorithm, task, seeds, variants }: Plan,
  data: OfflineDataset,
  outcomes: readonly StageResult[],
  finished: boolean,
  costs: ActionCosts,
): Omit<Results, "run_id" | "pictures"> {
  const { metrics } = axes.directory;
  const actors = evaluatedActors(algorithm, task);
  const rows = readMetrics(metrics);
  const evaluations = evaluationsOf(rows, actors);
  return {
    algorithm: algorithm.name,
    task: task.name,
    seeds,
    variants: variants.map(({ name }) => name),
    finished,
    stages: Object.fromEntries(
      outcomes.map(({ stage, evaluated: _, ...outcome }) => [
        stage,
        { ...outcome, losses: lastLosses(metrics, stage) },
      ]),
    ),
    references: referencesOf(task, data),
    actors,
    evaluations,
    statistics: evaluationStatistics(evaluations, actors),
    action_latency_ms: costs.milliseconds,
    action_flops: costs.flops,
    metrics_rows: rows.length,
  };
}
