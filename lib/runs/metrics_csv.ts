/**
 * `metrics.csv`: the rows of `metrics.jsonl` as a table, one column per metric.
 *
 * @module
 */
import type { MetricsRow } from "./metrics.ts";

const fixed = ["time", "stage", "step", "seed", "variant"] as const;

/**
 * Returns the rows as CSV (RFC 4180): the fixed columns, then every metric in order of first
 * appearance. A cell is empty where a row does not have the metric, and `variant` where it is null.
 * Single episodes are left out.
 */
export function metricsCsv(rows: readonly MetricsRow[]): string {
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
  const lines = rows.map((row) => [
    ...fixed.map((column) => row[column]),
    ...metrics.map((name) => row.metrics[name]),
  ]);
  return [[...fixed, ...metrics], ...lines].map((line) => line.map(cell).join(",") + "\r\n")
    .join("");
}

function cell(value: string | number | null | undefined): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
