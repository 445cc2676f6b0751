/**
 * `bandit`: the paper's two-dimensional bandit experiments (Figures 2 to 5 and 9 to 12).
 *
 * @module
 */
import { join } from "node:path";
import { Engine } from "../autodiff/engine.ts";
import { banditFigure, banditSummary } from "../bandit/figure.ts";
import { budgets } from "../bandit/budget.ts";
import { type BanditResult, runBandit } from "../bandit/experiment.ts";
import { methods } from "../bandit/methods.ts";
import { maxBanditSeed } from "../bandit/support.ts";
import { type ToyName, toyNames } from "../data/toy.ts";
import { UserError } from "../errors.ts";
import { makeFolder, replaceFile } from "../files.ts";
import { adapterText } from "../gpu/device.ts";
import { formatTable } from "../report/table.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { Progress, standardError } from "../runs/progress.ts";
import { suggestion } from "../suggestion.ts";
import { version } from "../version.ts";
import { integer, parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "bandit",
  summary:
    "Runs the paper's two-dimensional bandit experiments: fits a diffusion model to a density, " +
    "optimizes one policy per target by SRPO and by other methods, and draws them.",
  positionals: [
    {
      name: "DENSITY",
      help: `One of ${toyNames.join(", ")}, or all; defaults to 8gaussians`,
      optional: true,
    },
  ],
  flags: {
    quick: toggle("Smaller budgets: less than half a minute per density on two processor cores"),
    seed: integer("Random seed; the same seed gives the same result on the same adapter", {
      max: maxBanditSeed,
      fallback: 0,
    }),
    out: text("Folder for the pictures and numbers, created if it does not exist", {
      valueName: "FOLDER",
      fallback: "runs/bandit",
    }),
  },
} as const;

/**
 * Runs the experiment on one density or all, prints a table and writes `<density>.svg`,
 * `<density>-summary.svg` and `<density>.json` to the output folder.
 *
 * @returns The exit code if a signal stopped the command.
 * @throws {UserError} If the density is unknown or the folder cannot be written.
 */
export async function bandit(args: readonly string[]): Promise<number | void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { quick, seed, out } = parsed.flags;
  const densities = densitiesOf(parsed.positionals[0] ?? "8gaussians");
  makeFolder(out);
  using engine = await Engine.open();
  using interrupt = watchInterrupt("stopping; the densities done so far are kept");
  for (const density of densities) {
    const begin = performance.now();
    const result = await runBandit(engine, density, budgets[quick ? "quick" : "full"], seed, {
      ...progressOf(density),
      shouldStop: () => interrupt.requested,
    });
    if (result === null) return interrupt.exitCode!;
    const seconds = (performance.now() - begin) / 1000;
    const write = (name: string, content: string) =>
      replaceFile(join(out, name), (path) => Deno.writeTextFile(path, content));
    await write(`${density}.svg`, banditFigure(result));
    await write(`${density}-summary.svg`, banditSummary(result));
    await write(
      `${density}.json`,
      JSON.stringify(numbersOf(result, adapterText(engine.gpu.adapter), seconds), null, 1) + "\n",
    );
    console.log(
      `${density}: ${seconds.toFixed(1)} s, diffusion loss ${result.loss.toFixed(4)}, ` +
        `density integrates to ${result.integral.toFixed(4)}`,
    );
    console.log(table(result));
    console.log(`wrote ${join(out, density)}.svg, ${density}-summary.svg and ${density}.json\n`);
  }
}

/** Returns the densities that an argument names. */
function densitiesOf(name: string): readonly ToyName[] {
  if (name === "all") return toyNames;
  const found = toyNames.find((each) => each === name);
  if (found !== undefined) return [found];
  throw new UserError(
    `unknown density "${name}"${suggestion(name, [...toyNames, "all"])}; expected one of ` +
      `${toyNames.join(", ")}, or all`,
  );
}

/** Shows one progress line per part of the experiment. */
function progressOf(density: ToyName) {
  let current: { readonly part: string; readonly line: Progress } | null = null;
  return {
    onStep: (part: string, step: number, steps: number) => {
      if (current?.part !== part) {
        current = { part, line: new Progress(`${density}: ${part}`, steps, standardError()) };
      }
      if (step > 0) current.line.update(step, {});
      if (step === steps) current.line.finish();
    },
  };
}

function table({ policies }: BanditResult): string {
  return formatTable(
    ["method", "1/β", "t", "in support", "mean Q", "mean log μ", "regret"],
    policies.map(({ method, inverseBeta, time, scores }) => [
      methods[method],
      String(inverseBeta),
      time === undefined ? "" : String(time),
      scores.inSupport.toFixed(3),
      scores.q.toFixed(3),
      scores.logDensity.toFixed(3),
      scores.regret?.toFixed(3) ?? "–",
    ]),
  );
}

/** Returns the contents of the JSON file. Coordinates are rounded to 1e-4. */
function numbersOf(result: BanditResult, adapter: string, seconds: number): unknown {
  const { density, seed, budget, targets, loss, integral, supportRadius, policies } = result;
  const rounded = (values: Float32Array) =>
    Array.from(values, (value) => Math.round(value * 1e4) / 1e4);
  return {
    version,
    density,
    seed,
    adapter,
    seconds: Math.round(seconds * 10) / 10,
    budget,
    diffusion_loss: loss,
    density_integral: integral,
    support_radius: supportRadius,
    targets: rounded(targets),
    policies: policies.map(({ method, inverseBeta, time, actions, scores }) => ({
      method,
      title: methods[method],
      inverse_beta: inverseBeta,
      ...(time !== undefined && { time }),
      in_support: scores.inSupport,
      mean_q: scores.q,
      mean_log_density: scores.logDensity,
      mean_regret: scores.regret,
      actions: rounded(actions),
    })),
    log_density: {
      half: budget.grid.half,
      cells: budget.grid.cells,
      values: Array.from(
        result.logDensity,
        (value) => Math.round(value * 1e3) / 1e3,
      ),
    },
  };
}
