/**
 * Metrics files of version 0.2, whose rows name neither time nor seed.
 *
 * @module
 */
import { dirname, join } from "node:path";

/**
 * Renames a metrics file of version 0.2 to `metrics-0.2.jsonl`, so that the run goes on with a file of
 * its own.
 *
 * @returns The new path; null where there is no such file.
 */
export function setAsideMetrics(path: string): string | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  if (!/^\{"stage":"[^"]*","step":\d+,/.test(text)) return null;
  const aside = join(dirname(path), "metrics-0.2.jsonl");
  Deno.renameSync(path, aside);
  return aside;
}
