/**
 * The figure of the bandit experiment: data, density, stacked Q-functions, and the policies from
 * greedy to conservative, as SVG.
 *
 * @module
 */
// @ts-types="@types/d3-contour"
import { contours } from "d3-contour";
// @ts-types="@types/d3-scale-chromatic"
import { interpolateBlues, interpolateRainbow } from "d3-scale-chromatic";
import { element, label, picture } from "../report/svg.ts";
import type { Grid } from "./density.ts";
import type { BanditResult, PolicySet } from "./experiment.ts";
import { comparedInverseBeta, type Method, methods } from "./methods.ts";
import { logOptimum } from "./optimum.ts";

/** Side of a panel in pixels. */
export const side = 150;
const gap = 14;
/** Height above a panel for its title, in pixels. */
const head = 36;
const margin = 20;
/** Points of the data that are drawn. */
const drawnPoints = 1500;
/** Contours of a density, as fractions of its maximum. */
const levels = [0.01, 0.03, 0.1, 0.25, 0.45, 0.7];

/** A panel: its title in up to two lines, and its content, with the origin at the upper left. */
interface Panel {
  readonly title: readonly [string, string?];
  readonly content: string;
}

/** Draws every panel of an experiment. */
export function banditFigure(result: BanditResult): string {
  const of = (...wanted: readonly Method[]) =>
    result.policies.filter(({ method }) => wanted.includes(method)).map((set) =>
      policyPanel(result, set)
    );
  return sheet(result, `Bandit on ${result.density}`, [
    [...illustration(result), optimumPanel(result)],
    of("score"),
    of("ensemble", "withoutBaseline"),
    of("singleTime"),
    of("forwardGaussian", "forwardDiffusion", "reverseGaussian", "reverseVae", "mmd"),
  ]);
}

/**
 * Draws the panels that make the paper's point: SRPO's policies from greedy to conservative beside
 * a Gaussian's weighted regression.
 */
export function banditSummary(result: BanditResult): string {
  const regression = result.policies.find(({ method }) => method === "forwardGaussian")!;
  const score = result.policies.filter(({ method }) => method === "score");
  return sheet(result, `Bandit on ${result.density}: one deterministic policy per Q-function`, [
    [...illustration(result), policyPanel(result, regression)],
    [0, 2, 4, 5].map((place) => policyPanel(result, score[place]!)),
  ]);
}

/** What the plane of a panel shows, apart from densities and policies. */
export type Plane = Pick<BanditResult, "points" | "targets"> & {
  readonly budget: Pick<BanditResult["budget"], "grid">;
};

function sheet(result: BanditResult, title: string, rows: readonly (readonly Panel[])[]): string {
  const columns = Math.max(...rows.map((panels) => panels.length));
  const top = 44;
  return picture(
    title,
    2 * margin + columns * side + (columns - 1) * gap,
    top + rows.length * (side + head + gap),
    label(margin, 28, title, "start", { "font-size": 16, "font-weight": "bold" }),
    element(
      "defs",
      {},
      element("g", { id: "density" }, densityShapes(result.budget.grid, result.logDensity, gray)),
    ),
    ...rows.flatMap((panels, row) =>
      panels.map(({ title: [first, second], content }, column) => {
        const [x, y] = [margin + column * (side + gap), top + row * (side + head + gap) + head];
        return element(
          "g",
          { transform: `translate(${x} ${y})` },
          label(0, -20, first, "start", { "font-size": 11, "font-weight": "bold" }),
          label(0, -6, second ?? "", "start", { "font-size": 11 }),
          content,
          element("rect", { width: side, height: side, fill: "none", stroke: "#888" }),
        );
      })
    ),
  );
}

function illustration(result: BanditResult): Panel[] {
  return [
    { title: ["Data", "points of μ"], content: data(result) },
    {
      title: ["Diffusion model", "its density, by the ODE"],
      content: densityShapes(result.budget.grid, result.logDensity, blues),
    },
    {
      title: ["Q(a) = −|a − target|²", `${result.targets.length / 2} targets`],
      content: stacked(result),
    },
  ];
}

function policyPanel(result: BanditResult, set: PolicySet): Panel {
  const { method, inverseBeta, time, scores } = set;
  const share = `${Math.round(100 * scores.inSupport)} % in support`;
  return {
    title: [
      time === undefined ? methods[method] : `SRPO, t = ${time}`,
      `1/β = ${inverseBeta}; ${share}`,
    ],
    content: element("use", { href: "#density" }) + arrows(result, set.actions),
  };
}

/** The optima of Eq. 1 for all targets, added up. */
function optimumPanel(result: BanditResult): Panel {
  const { targets, logDensity, budget: { grid } } = result;
  const sum = new Float64Array(logDensity.length);
  for (let i = 0; i < targets.length; i += 2) {
    const target = [targets[i]!, targets[i + 1]!] as const;
    logOptimum(logDensity, grid, target, 1 / comparedInverseBeta).forEach((log, cell) =>
      sum[cell]! += Math.exp(log)
    );
  }
  return {
    title: ["Optimum π* of Eq. 1", `sum over targets, 1/β = ${comparedInverseBeta}`],
    content: densityShapes(grid, sum.map(Math.log), blues),
  };
}

/** Colors of a density behind policies. */
export function gray(place: number): string {
  const tone = Math.round(250 - 75 * place).toString(16);
  return `#${tone}${tone}${tone}`;
}

/** Colors of a density by itself. */
export const blues = interpolateBlues;

/** Draws filled contours of a density. `map` maps [0, 1] to colors, from few to many. */
export function densityShapes(
  { cells }: Grid,
  logs: Float64Array,
  map: (place: number) => string,
): string {
  const densities = Array.from(logs, Math.exp);
  const largest = densities.reduce((a, b) => Math.max(a, b), 0);
  // The rows of the grid go up, those of the picture down.
  const flipped = densities.map((_, i) =>
    densities[(cells - 1 - Math.floor(i / cells)) * cells + i % cells]! / largest
  );
  return contours().size([cells, cells]).thresholds(levels)(flipped).map(({ coordinates }, i) => {
    const path = coordinates.flat().map((ring) =>
      "M" + ring.slice(0, -1).map(([x, y]) =>
        `${tenth(x! * side / cells)} ${tenth(y! * side / cells)}`
      )
        .join("L") +
      "z"
    ).join("");
    return element("path", { d: path, fill: map((i + 1) / levels.length) });
  }).join("");
}

function tenth(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Returns a coordinate of the plane in pixels, cut off at the panel's edges. */
function pixels({ half }: Grid): { x: (v: number) => number; y: (v: number) => number } {
  const inside = (v: number) => Math.max(0, Math.min(side, v));
  return {
    x: (v) => inside((v + half) * side / (2 * half)),
    y: (v) => inside((half - v) * side / (2 * half)),
  };
}

/** Draws points of the data. */
export function data({ points, budget: { grid } }: Plane): string {
  const { x, y } = pixels(grid);
  let path = "";
  for (let i = 0; i < Math.min(points.length, 2 * drawnPoints); i += 2) {
    path += `M${tenth(x(points[i]!))} ${tenth(y(points[i + 1]!))}h0`;
  }
  return element("path", {
    d: path,
    stroke: "#1f6fd0",
    "stroke-opacity": 0.5,
    "stroke-width": 1.6,
    "stroke-linecap": "round",
  });
}

/** The color of a target: its hue by the angle; gray at the center. */
function colorOf(x: number, y: number): string {
  if (Math.hypot(x, y) < 1e-6) return "rgb(102, 102, 102)";
  const turn = Math.atan2(y, x) / (2 * Math.PI);
  return interpolateRainbow(turn < 0 ? turn + 1 : turn);
}

/** Draws the level sets of each target's Q near its maximum. */
export function stacked({ targets, budget: { grid } }: Plane): string {
  const { x, y } = pixels(grid);
  const shapes = [];
  for (let i = 0; i < targets.length; i += 2) {
    const [tx, ty] = [targets[i]!, targets[i + 1]!];
    for (const level of [3, 2, 1]) {
      shapes.push(element("circle", {
        cx: x(tx),
        cy: y(ty),
        r: 5.2 * Math.sqrt(level),
        fill: colorOf(tx, ty),
        "fill-opacity": 0.25,
      }));
    }
  }
  return shapes.join("");
}

/** Draws a line from each target to its actions, and a dot at each action. */
export function arrows(
  { targets, budget: { grid } }: Plane,
  actions: Float32Array,
): string {
  const { x, y } = pixels(grid);
  const perTarget = actions.length / targets.length;
  const r = perTarget > 1 ? 1.6 : 2.6;
  const lines = [];
  const dots = [];
  for (let row = 0; 2 * row < actions.length; row++) {
    const place = Math.floor(row / perTarget);
    const [tx, ty] = [targets[2 * place]!, targets[2 * place + 1]!];
    const [ax, ay] = [tenth(x(actions[2 * row]!)), tenth(y(actions[2 * row + 1]!))];
    const color = hexOf(colorOf(tx, ty));
    dots.push(element("circle", { cx: ax, cy: ay, r, fill: color }));
    lines.push(
      element("path", { d: `M${tenth(x(tx))} ${tenth(y(ty))}L${ax} ${ay}`, stroke: color }),
    );
  }
  return element("g", { "stroke-width": 0.8, "stroke-opacity": 0.6 }, ...lines) +
    element("g", { stroke: "#222", "stroke-width": 0.5 }, ...dots);
}

/** Returns a color `rgb(r, g, b)` as `#rrggbb`, which is shorter. */
function hexOf(color: string): string {
  return "#" +
    color.match(/\d+/g)!.map((part) => Number(part).toString(16).padStart(2, "0")).join("");
}
