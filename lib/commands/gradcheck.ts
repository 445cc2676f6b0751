/**
 * `gradcheck`: checks every operation of the engine and every loss on this machine's adapter.
 *
 * @module
 */
import { Engine } from "../autodiff/engine.ts";
import { type AdapterMeasurement, measureAdapter } from "../checks/adapter.ts";
import { UserError } from "../errors.ts";
import { type AdapterDescription, adapterText } from "../gpu/device.ts";
import { formatTable } from "../report/table.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "gradcheck",
  summary:
    "Checks every operation and every loss on this machine's GPU adapter: values against double " +
    "precision, and gradients against finite differences.",
  positionals: [],
  flags: { json: toggle("Print one JSON object as the last line") },
} as const;

/**
 * Prints the adapter and a table of the checks. Each row has the largest error of an operation's
 * values and gradients at one shape, relative to the largest entry, over runs with one and three
 * seeds.
 *
 * @throws {UserError} If a check fails. All checks run and the table is printed first.
 */
export async function gradcheck(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const rows: AdapterMeasurement[] = [];
  using engine = await Engine.open();
  const { adapter } = engine.gpu;
  console.log(`adapter  ${adapterText(adapter)}; matrix products: ${engine.target.matmul}\n`);
  for await (const row of measureAdapter(engine)) rows.push(row);
  conclude(adapter, rows, parsed.flags.json);
}

/**
 * Prints the measurements, and with `json` also one line of JSON.
 *
 * @throws {UserError} If a check failed.
 */
export function conclude(
  adapter: AdapterDescription,
  rows: readonly AdapterMeasurement[],
  json: boolean,
): void {
  const failed = rows.filter(({ passed }) => !passed);
  console.log(table(rows));
  console.log(`\n${rows.length - failed.length} of ${rows.length} checks passed`);
  if (json) {
    const result = rows.map(({ error, ...row }) => ({
      ...row,
      // JSON cannot represent infinity.
      relative_error: Number.isFinite(error) ? error : null,
    }));
    console.log(JSON.stringify({ adapter, passed: failed.length === 0, checks: result }));
  }
  if (failed.length > 0) {
    throw new UserError(
      `${failed.length} of ${rows.length} checks failed on this adapter; results computed on it ` +
        "cannot be trusted. Try another driver or another adapter.",
    );
  }
}

/** Formats one row per operation and shape, with the worst error over seeds and variants. */
function table(rows: readonly AdapterMeasurement[]): string {
  const groups = Map.groupBy(rows, ({ operation, shape }) => `${operation}\n${shape}`);
  return formatTable(
    ["operation", "shape", "worst relative error", "limit", "pass"],
    [...groups.values()].map((group) => {
      const worst = group.reduce((a, b) => b.error > a.error ? b : a);
      return [
        worst.operation,
        worst.shape,
        worst.error.toExponential(1),
        worst.limit.toExponential(0),
        group.every(({ passed }) => passed) ? "yes" : "NO",
      ];
    }),
  );
}
