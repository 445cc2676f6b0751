/**
 * Converts the metrics file of a run of version 0.2 to the current schema, so that the run can be
 * resumed.
 *
 * @module
 */
import { copyWhole } from "./files.ts";
import { type MetricsRow, writeMetrics } from "./metrics.ts";
import { type ReplicaAxes, replicasOf, stageOf } from "./replicas.ts";

/** A row of version 0.2: one number per metric, or one per replica of the stage. */
interface FormerRow {
  readonly stage: string;
  readonly step: number;
  /** Indices of the replicas that the numbers belong to, if not all. */
  readonly replicas?: readonly number[];
  readonly [metric: string]: string | number | readonly number[] | undefined;
}

/**
 * Rewrites the file in place and keeps the original as `metrics-0.2.jsonl`. Rows of evaluations are
 * dropped, because they do not contain the episodes. All rows get the time at which the original
 * was last modified. If the process is killed before the end, the next one converts the file again.
 *
 * @returns The path of the original; null if there was nothing to convert.
 * @throws {UserError} If a file cannot be written.
 */
export async function upgradeMetrics(axes: ReplicaAxes): Promise<string | null> {
  const path = axes.directory.metrics;
  const rows = formerRows(path, axes.algorithm.stages.map(({ name }) => name));
  if (rows === null) return null;
  const time = (Deno.statSync(path).mtime ?? new Date()).toISOString();
  const former = axes.directory.formerMetrics;
  await copyWhole(path, former);
  await writeMetrics(path, rows.flatMap((row) => upgraded(row, axes, time)));
  return former;
}

function upgraded(row: FormerRow, axes: ReplicaAxes, time: string): MetricsRow[] {
  const { stage, step, replicas: places, ...metrics } = row;
  if (Object.hasOwn(metrics, "eval_return")) return [];
  const replicas = replicasOf(axes, stageOf(axes.algorithm, stage));
  return (places ?? replicas.keys().toArray()).map((place, i) => {
    const { seed, variant } = replicas[place]!;
    const own = Object.entries(metrics).map(([name, value]) =>
      [name, typeof value === "number" ? value : (value as readonly number[])[i]!] as const
    );
    return { time, stage, step, seed, variant, metrics: Object.fromEntries(own), episodes: null };
  });
}

/** Returns the complete rows of a file of version 0.2; null for other or missing files. */
function formerRows(path: string, stages: readonly string[]): FormerRow[] | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const lines = text.split("\n").slice(0, -1);
  if (lines.length === 0 || /"metrics":/.test(lines[0]!)) return null;
  const rows = lines.map(parsed);
  const whole = rows.every((row): row is FormerRow =>
    stages.includes(row?.stage ?? "") && typeof row?.step === "number"
  );
  return whole ? rows : null;
}

function parsed(line: string): Partial<FormerRow> | null {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
