/**
 * Draws the pictures of `docs/ablations.md` and `docs/results.md` from finished runs:
 * `deno run -A tools/figures.ts RUNS PICTURES`. `docs/figures/make.sh` makes the runs.
 *
 * A figure is drawn from the runs that are there, and left out if all of its runs are missing.
 * RUNS may hold `official.jsonl`, the output of `bench/peers/learning`, for the comparison with the
 * official code.
 *
 * @module
 */
import { join } from "node:path";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { UserError } from "../lib/errors.ts";
import { figureSvg } from "../lib/report/figure_svg.ts";
import type { Figure } from "../lib/report/plot.ts";
import { figure14, sweep } from "./figures/ablations.ts";
import { figure1, figure16, figure7 } from "./figures/compared.ts";
import { figure13 } from "./figures/divergence.ts";
import { Runs } from "./figures/runs.ts";
import { sameLearning } from "./figures/same_learning.ts";

/** The figures by file name. */
const figures: Readonly<Record<string, (runs: Runs) => Figure | null>> = {
  "figure-1": figure1,
  "figure-7": figure7,
  "figure-8-weighting": (runs) =>
    sweep(runs, "weighting", "Figure 8 on maze2d-umaze: the weighting ω(t), scaled alike"),
  "figure-8-baseline": (runs) =>
    sweep(runs, "baseline", "Figure 8 on maze2d-umaze: the baseline −ε"),
  "figure-8-weighting-hopper": (runs) =>
    sweep(runs, "hopper-weighting", "Figure 8 on hopper: the weighting ω(t), scaled alike"),
  "figure-13": figure13,
  "figure-14": figure14,
  "figure-15": (runs) => sweep(runs, "beta", "Figure 15 on maze2d-umaze: the temperature β_norm"),
  "figure-15-hopper": (runs) =>
    sweep(runs, "hopper-beta", "Figure 15 on hopper: the temperature β"),
  "figure-16": figure16,
  "same-learning": (runs) => sameLearning(runs, "learning"),
  "same-learning-hopper": (runs) => sameLearning(runs, "learning-hopper"),
};

function drawFigures(args: readonly string[]): void {
  const [folder, pictures] = args;
  if (folder === undefined || pictures === undefined || args.length > 2) {
    throw new UserError("usage: deno run -A tools/figures.ts RUNS PICTURES");
  }
  const runs = new Runs(folder);
  Deno.mkdirSync(pictures, { recursive: true });
  for (const [name, draw] of Object.entries(figures)) {
    const figure = draw(runs);
    const path = join(pictures, `${name}.svg`);
    if (figure !== null) Deno.writeTextFileSync(path, figureSvg(figure));
    console.log(figure === null ? `${name}: no finished run in ${folder}` : `picture  ${path}`);
  }
}

const command = {
  summary: "draw the pictures of the documentation",
  load: () => Promise.resolve(drawFigures),
};
if (import.meta.main) {
  Deno.exit(await runCommandLine({ figures: command }, ["figures", ...Deno.args]));
}
