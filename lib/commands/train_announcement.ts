/**
 * Text that `train` prints before training: the task, the data, the adapter, and the expected time.
 *
 * @module
 */
import type { Engine } from "../autodiff/engine.ts";
import { choiceText, fastestRate } from "../autodiff/variants.ts";
import type { Task } from "../data/catalog.ts";
import type { OfflineDataset } from "../data/dataset.ts";
import { taskNotes } from "../data/fit.ts";
import { adapterText } from "../gpu/device.ts";
import { driverAdvice } from "../gpu/driver_advice.ts";
import { boundsText } from "../nn/host/action_bounds.ts";
import type { RunDirectory } from "../runs/directory.ts";
import type { RunEstimate } from "../runs/estimate.ts";
import { formatDuration } from "../duration.ts";
import type { VariantFile } from "../runs/variant_memory.ts";
import type { Plan } from "./train_plan.ts";

/** Describes a run: its task, sweep, data, checkpoints from elsewhere, adapter and folder. */
export function announcement(
  { algorithm, task, paths, seeds, variants, stages, given, evaluation }: Plan,
  data: OfflineDataset,
  adapter: string,
  directory: RunDirectory,
): string {
  const files = seeds.flatMap((seed) => Object.values(given).map((file) => file(seed)));
  return [
    `task     ${task.name}: ${algorithm.title}, ${stages.join(", ")}, seed ${seeds.join(", ")}`,
    ...(variants.length > 0
      ? [
        `sweep    ${variants.length} policies per seed: ${
          variants.map(({ name }) => name).join(", ")
        }`,
      ]
      : []),
    `data     ${paths.join(", ")}: ${data.rows.toLocaleString("en-US")} rows, ` +
    `${entries(data.observationSize, "observation")}, ${entries(data.actionSize, "action")}`,
    ...ownLines(task, evaluation.episodes),
    ...taskNotes(data, task).map((note) => `note     ${note}`),
    ...[...new Set(files)].map((file) => `given    ${file}`),
    `adapter  ${adapter}`,
    `run      ${directory.path}`,
  ].join("\n");
}

/** Describes a custom task and where its policies are evaluated. */
function ownLines({ own }: Task, episodes: number): string[] {
  if (own === undefined) return [];
  const { environment, actionBounds } = own;
  return [
    environment === null
      ? "eval     disabled; name an environment with --env to evaluate the policy"
      : episodes === 0
      ? "eval     disabled by --eval-episodes 0"
      : `eval     in ${environment.id} on the ${environment.server} server`,
    ...(actionBounds === null
      ? []
      : [`actions  scaled from ${boundsText(actionBounds)} to [-1, 1], and back for evaluation`]),
  ];
}

/** Describes the adapter and the choice of its matrix product variants. */
export function adapterLine({ gpu, target, choice }: Engine, { problem }: VariantFile): string {
  return `${adapterText({ ...gpu.adapter, ...target })}; matrix products: ${choiceText(choice)}` +
    (problem ? `; measurements not saved: ${problem}` : "");
}

/**
 * Returns what else a user should know: an old driver, what differs from the adapter or version
 * that a resumed run was begun with, the time of the run's matrix products, and a warning if a
 * software GPU runs the paper's preset.
 *
 * @param former The file with the original metrics, if version 0.2 began the run.
 */
export function notes(
  { preset, changes }: Plan,
  { gpu, target, choice }: Engine,
  estimate: RunEstimate,
  former: string | null,
): string[] {
  const advice = driverAdvice({ ...gpu.adapter, ...target });
  const rate = fastestRate(choice);
  const time = rate === undefined ? null : formatDuration(estimate.total(rate * 1e9));
  return [
    ...(advice === null ? [] : [`note     ${advice}`]),
    ...(changes.length === 0 ? [] : [
      `note     continued with another ${changes.join("; ")}. From here on, results differ in ` +
      "their last digits from an uninterrupted run's, and stages are not cached",
    ]),
    ...(former === null
      ? []
      : [`note     this run was started by version 0.2; its original metrics are in ${former}`]),
    ...(time === null ? [] : [`time     at least ${time} for all stages (matrix products alone)`]),
    ...(preset === "paper" && gpu.adapter.software
      ? [
        `warning  ${gpu.adapter.name} is a software GPU, but the paper's networks and step ` +
        "counts are meant for a hardware GPU" +
        (time === null ? "" : ` (at least ${time} here)`) +
        "; use --preset quick to train on a CPU",
      ]
      : []),
  ];
}

/** Returns a number of entries as text. */
function entries(count: number, of: string): string {
  return `${count} ${of} ${count === 1 ? "entry" : "entries"}`;
}
