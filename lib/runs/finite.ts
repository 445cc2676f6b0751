/**
 * The check that metrics are finite. It is apart from the metrics' file, so that the training loop
 * also runs where there are no files.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/**
 * Rejects numbers that are not finite.
 *
 * @throws {UserError} Naming stage, step, metric and, if there are several, the replica.
 */
export function assertFinite(
  stage: string,
  step: number,
  metrics: Readonly<Record<string, number | readonly number[]>>,
): void {
  for (const [name, value] of Object.entries(metrics)) {
    const replicas = typeof value === "number" ? [value] : value;
    const replica = replicas.findIndex((number) => !Number.isFinite(number));
    if (replica < 0) continue;
    const where = replicas.length > 1 ? ` of replica ${replica}` : "";
    throw new UserError(
      `${stage} stage, step ${step}: ${name}${where} is ${
        replicas[replica]
      }; the run stops. Try a lower ` +
        "learning rate, or check the data for extreme values",
    );
  }
}
