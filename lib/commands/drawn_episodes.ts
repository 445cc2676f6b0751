/**
 * Keeps the paths of evaluation episodes, so that the maze picture need not play them again. Those
 * that only the picture shows are played beside the evaluation's, which takes less time than alone.
 *
 * @module
 */
import { drawnSeeds, type PlayedPaths } from "../report/drawn_maze.ts";
import { type Replica, type ReplicaAxes, replicasOf, stageOf } from "../runs/replicas.ts";
import type { EvaluatedActor, EvaluationRow } from "../runs/results.ts";

/** The evaluation episodes of a run's first seed and variant, which the maze picture shows. */
export class DrawnEpisodes {
  readonly #axes: ReplicaAxes;
  #seeds: Promise<readonly number[]> | undefined;
  readonly #last = new Map<string, { readonly step: number; readonly paths: PlayedPaths }>();

  /** Creates an empty collection for a run. */
  constructor(axes: ReplicaAxes) {
    this.#axes = axes;
  }

  /** Returns whether the picture shows the policy of a stage's replica. */
  shows(stage: string, { directory }: Replica): boolean {
    const [first] = replicasOf(this.#axes, stageOf(this.#axes.algorithm, stage));
    return directory.path === first!.directory.path;
  }

  /** Returns the seeds of the episodes that the picture of a task shows. */
  seeds(task: string): Promise<readonly number[]> {
    return this.#seeds ??= drawnSeeds(task);
  }

  /** Keeps the paths of a stage's last evaluation. */
  add(stage: string, step: number, paths: PlayedPaths): void {
    this.#last.set(stage, { step, paths });
  }

  /**
   * Returns the paths by the actor's title. An actor is left out if its last evaluation was not
   * played in this process.
   */
  of(
    actors: readonly EvaluatedActor[],
    evaluations: readonly EvaluationRow[],
  ): Map<string, PlayedPaths> {
    return new Map(actors.flatMap(({ stage, title }) => {
      const found = this.#last.get(stage);
      const steps = evaluations.filter((row) => row.stage === stage).map(({ step }) => step);
      return found?.step === Math.max(...steps) ? [[title, found.paths] as const] : [];
    }));
  }
}
