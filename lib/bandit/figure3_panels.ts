/**
 * The panels of Figure 3, each an SVG of its own, so that a page can arrange them.
 *
 * @module
 */
import { element } from "../report/svg.ts";
import { arrows, blues, data, densityShapes, gray, side, stacked } from "./figure.ts";
import type { Figure3 } from "./figure3.ts";

/** A panel and its captions. */
export interface FigurePanel {
  /** First line of the caption; empty if the picture has its own. */
  readonly title: string;
  /** Second line of the caption. */
  readonly note: string;
  /** SVG text, which fills the space it is given. */
  readonly svg: string;
}

/** Draws the figure as it is. */
export function figure3Panels(figure: Figure3): FigurePanel[] {
  const { density, policies, targets } = figure;
  const behind = density ? densityShapes(density.grid, density.logs, gray) : "";
  return [
    { title: "Data", note: "points of μ", svg: panel(data(figure)) },
    {
      title: "Diffusion model",
      note: density ? "its density, by the ODE" : "no density yet",
      svg: panel(density ? densityShapes(density.grid, density.logs, blues) : ""),
    },
    {
      title: "Q(a) = −|a − target|²",
      note: `${targets.length / 2} targets`,
      svg: panel(stacked(figure)),
    },
    ...policies.map(({ inverseBeta, actions, inSupport }) => ({
      title: `SRPO, 1/β = ${inverseBeta}`,
      note: `${Math.round(100 * inSupport)} % in support`,
      svg: panel(behind + arrows(figure, actions)),
    })),
  ];
}

function panel(content: string): string {
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", viewBox: `0 0 ${side} ${side}` },
    element("rect", { width: side, height: side, fill: "#fff" }),
    content,
  );
}
