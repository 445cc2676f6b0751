/**
 * Figures: panels drawn by Observable Plot, side by side under a title, notes and a legend. This
 * module runs in browsers too, with the browser's document; `figure_svg.ts` makes a file.
 *
 * @module
 */
import * as Plot from "@observablehq/plot";
import { paletteStyle } from "./palette.ts";

/** One axis of a panel. Other options of Plot's scales may be added. */
export interface PanelAxis extends Plot.ScaleOptions {
  /** What is on the axis, with its unit in parentheses; null for none. */
  readonly label: string | null;
}

/** One plot of a figure. */
export interface Panel {
  /** Heading; defaults to none. */
  readonly title?: string;
  /** Horizontal axis. */
  readonly x: PanelAxis;
  /** Vertical axis. */
  readonly y: PanelAxis;
  /** Axis of the groups that the horizontal axis is repeated in; absent if there are none. */
  readonly groups?: PanelAxis;
  /** What is drawn, from back to front. */
  readonly marks: readonly Plot.Markish[];
}

/** A series and its color, for the legend. */
export interface LegendEntry {
  /** Name of the series. */
  readonly name: string;
  /** CSS color. */
  readonly color: string;
}

/** A picture of one or more panels. */
export interface Figure {
  /** Title. */
  readonly title: string;
  /** Lines under the title: what lines, bands and intervals are, and over which seeds. */
  readonly notes: readonly string[];
  /** Series named in the legend. */
  readonly legend: readonly LegendEntry[];
  /** Panels, row by row. */
  readonly panels: readonly Panel[];
  /** Panels per row. */
  readonly columns: number;
  /** Size of a panel with its axes in pixels; `[350, 236]` by default. */
  readonly size?: readonly [width: number, height: number];
}

/** The part of a document that figures need: a browser's, or one without a browser. */
export type FigureDocument = NonNullable<Plot.PlotOptions["document"]>;

const margin = 20;
const lineHeight = 18;
const smallestWidth = 440;
/** Left edge of a panel's plot area. */
const panelLeft = 52;

/**
 * Draws a figure as an SVG element. Its colors are CSS variables, which follow the reader's light
 * or dark scheme.
 */
export function drawFigure(
  figure: Figure,
  document: FigureDocument,
): ReturnType<FigureDocument["createElementNS"]> {
  const { title, notes, legend, panels, columns, size: [width, height] = [350, 236] } = figure;
  const across = Math.max(1, Math.min(columns, panels.length));
  const texts = [...notes.map((note) => 6.4 * note.length), 9.5 * title.length];
  const whole = Math.ceil(Math.max(smallestWidth, across * width, ...texts)) + 2 * margin;
  const legendColumns = Math.max(1, Math.floor((whole - 2 * margin) / legendWidth(legend)));
  const legendTop = 34 + notes.length * lineHeight;
  const top = legendTop + Math.ceil(legend.length / legendColumns) * lineHeight + 4;
  const bottom = top + Math.ceil(panels.length / across) * height + 8;

  const element = (name: string, attributes: Record<string, string | number>, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
    made.textContent = text;
    return made;
  };
  const svg = element("svg", {
    xmlns: "http://www.w3.org/2000/svg",
    class: "themed",
    width: whole,
    height: bottom,
    viewBox: `0 0 ${whole} ${bottom}`,
    "font-family": "'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif",
    "font-size": 11,
    fill: "var(--ink)",
    color: "var(--ink)",
    role: "img",
  });
  svg.append(element("title", {}, title));
  svg.append(element("style", {}, paletteStyle));
  svg.append(element("rect", { width: whole, height: bottom, fill: "var(--paper)" }));
  svg.append(element("text", { x: margin, y: 26, "font-size": 15, "font-weight": "bold" }, title));
  notes.forEach((note, i) => {
    svg.append(element("text", { x: margin, y: 46 + i * lineHeight, fill: "var(--muted)" }, note));
  });
  legend.forEach(({ name, color }, i) => {
    const x = margin + (i % legendColumns) * legendWidth(legend);
    const y = legendTop + Math.floor(i / legendColumns) * lineHeight;
    svg.append(element("rect", { x, y: y + 4, width: 16, height: 5, rx: 2, fill: color }));
    svg.append(element("text", { x: x + 22, y: y + 11 }, name));
  });
  panels.forEach((panel, i) => {
    const drawn = drawPanel(panel, width, height, document);
    drawn.setAttribute("x", String(margin + (i % across) * width));
    drawn.setAttribute("y", String(top + Math.floor(i / across) * height));
    const start = { x: 4, "text-anchor": "start" };
    if (panel.title !== undefined) {
      drawn.append(element("text", { ...start, y: 13, "font-weight": "bold" }, panel.title));
    }
    if (panel.y.label !== null) {
      drawn.append(element("text", { ...start, y: panelTop(panel) - 10 }, panel.y.label));
    }
    svg.append(drawn);
  });
  return svg;
}

/** Returns the upper edge of a panel's plot area. */
function panelTop({ title }: Panel): number {
  return title === undefined ? 24 : 44;
}

function drawPanel(
  panel: Panel,
  width: number,
  height: number,
  document: FigureDocument,
): ReturnType<typeof Plot.plot> {
  const { x, y, groups, marks } = panel;
  const svg = Plot.plot({
    document,
    width,
    height,
    marginLeft: panelLeft,
    marginRight: 20,
    marginTop: panelTop(panel),
    marginBottom: 42,
    className: "panel",
    x: { ...x, labelAnchor: "center", labelArrow: "none" },
    y: { ...y, label: null }, // drawn by drawFigure(), below the heading
    ...(groups && { fx: { ...groups, axis: "bottom", labelArrow: "none" } }),
    marks: [Plot.frame({ stroke: "var(--rule)", facet: "super" }), ...marks],
  });
  svg.querySelector("style")?.remove(); // the figure's style replaces it
  svg.setAttribute("font-size", "11");
  svg.removeAttribute("font-family");
  return svg;
}

/** Returns the pixels of a legend entry, from the length of the longest name. */
function legendWidth(legend: readonly LegendEntry[]): number {
  return 44 + 6.6 * Math.max(0, ...legend.map(({ name }) => name.length));
}
