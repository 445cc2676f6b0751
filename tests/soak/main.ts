/**
 * Long checks of what runs survive, too long for the test suite:
 *
 * - `kills`: runs of the command `train` with two seeds that are killed at random moments;
 * - `fuzz`: cases of bad input;
 * - `steps`: many steps at tiny size, in which memory and files must stay within bounds.
 *
 * Usage: `deno task soak [--kills 50] [--cases 20000] [--steps 4000000]`. A part with 0 is left
 * out.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { readCases } from "../fuzz/cases.ts";
import { soakKills } from "./kills.ts";
import { soakSteps } from "./steps.ts";

const flags = parseArgs(Deno.args, { string: ["kills", "cases", "steps"] });
const count = (name: "kills" | "cases" | "steps", fallback: number): number => {
  const value = Number(flags[name] ?? fallback);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${name} needs a whole number from 0, got ${flags[name]}`);
};
const [kills, cases, steps] = [
  count("kills", 50),
  count("cases", 20_000),
  // The paper's schedule for Hopper: six hours at 185 steps/s.
  count("steps", 4_000_000),
];
// Files that are damaged badly enough leave h5wasm's memory damaged too, so processes are short.
const batch = 2000;
if (cases > 0 && cases <= batch) console.log("fuzz   ", await readCases(cases));
for (let done = 0; cases > batch && done < cases; done += batch) {
  const size = Math.min(batch, cases - done);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      import.meta.filename!,
      "--kills=0",
      "--steps=0",
      `--cases=${size}`,
    ],
  }).spawn().status;
  if (!success) Deno.exit(1);
}
if (kills > 0) console.log("kills  ", await soakKills(kills));
if (steps > 0) console.log("steps  ", await soakSteps(steps));
