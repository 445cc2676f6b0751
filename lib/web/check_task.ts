/**
 * Runs the gradient checks in a worker.
 *
 * @module
 */
import { measureAdapter, measurementsOf } from "../checks/adapter.ts";
import type { TaskContext } from "./task.ts";

/**
 * Measures all checks, as `gradcheck` does, and reports each.
 *
 * @returns The closing message; null if the task was stopped.
 * @throws {Error} No check reaches an operation.
 */
export async function checkTask({ engine, gate, post }: TaskContext): Promise<string | null> {
  const total = measurementsOf(engine);
  let [done, failed] = [0, 0];
  for await (const measurement of measureAdapter(engine)) {
    done++;
    if (!measurement.passed) failed++;
    post({ kind: "steps", part: "checks", steps: total, rows: [{ step: done, metrics: {} }] });
    post({ kind: "check", measurement });
    await gate.pass();
    if (gate.stopped) return null;
  }
  return failed === 0
    ? `All ${total} checks passed.`
    : `${failed} of ${total} checks failed; results computed on this GPU cannot be trusted.`;
}
