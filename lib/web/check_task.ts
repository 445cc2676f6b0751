/**
 * Runs the gradient checks in a worker.
 *
 * @module
 */
import { checks, measureAll, unchecked } from "../checks/table.ts";
import { Session } from "../checks/session.ts";
import type { TaskContext } from "./task.ts";

/**
 * Measures all checks and reports each.
 *
 * @returns What to tell the user at the end; null if it was stopped.
 * @throws {Error} No check reaches an operation.
 */
export async function checkTask({ engine, gate, post }: TaskContext): Promise<string | null> {
  const session = new Session(engine);
  const total = checks.reduce((sum, { cases }) => sum + cases.length, 0);
  let [done, failed] = [0, 0];
  for await (const measurement of measureAll(session, checks)) {
    done++;
    if (!measurement.passed) failed++;
    post({ kind: "steps", part: "checks", steps: total, rows: [{ step: done, metrics: {} }] });
    post({ kind: "check", measurement });
    await gate.pass();
    if (gate.stopped) return null;
  }
  const missing = unchecked(session);
  if (missing.length > 0) throw new Error(`no check reaches ${missing.join(", ")}`);
  return failed === 0
    ? `All ${total} checks passed: this GPU computes what is written.`
    : `${failed} of ${total} checks failed; results computed on this GPU cannot be trusted.`;
}
