/**
 * The table of gradient checks: one row per operation, with its worst error.
 *
 * @module
 */
import type { Measurement } from "../../checks/table.ts";
import { made } from "../../report/client/dom.ts";

/** Rows by operation. */
export class CheckTable {
  readonly #rows = new Map<
    string,
    { readonly element: HTMLElement; readonly all: Measurement[] }
  >();

  /**
   * Adds a measurement.
   *
   * @returns The row of its operation if it is new, else null.
   */
  add(measurement: Measurement): HTMLElement | null {
    const known = this.#rows.get(measurement.operation);
    const { element, all } = known ?? { element: made("p", "check"), all: [] };
    all.push(measurement);
    const worst = all.reduce((a, b) => b.error > a.error ? b : a);
    const passed = all.every((each) => each.passed);
    element.className = passed ? "check" : "check failed";
    element.replaceChildren(
      made("strong", "", `${passed ? "✓" : "✗"} ${worst.operation}`),
      made(
        "span",
        "",
        `${all.length} cases, error ${worst.error.toExponential(1)} of at most ` +
          worst.limit.toExponential(0),
      ),
    );
    if (known) return null;
    this.#rows.set(measurement.operation, { element, all });
    return element;
  }
}
