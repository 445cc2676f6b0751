/**
 * Sweeps for tests.
 *
 * @module
 */
import type { Unit } from "../../lib/sweep/units.ts";

/** Returns a unit of one seed. */
export function unitNamed(name: string): Unit {
  return {
    name,
    task: "hopper-medium-v2",
    algorithm: "srpo",
    train: ["hopper-medium-v2", "--seeds=0"],
  };
}
