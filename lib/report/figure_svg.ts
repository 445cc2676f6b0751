/**
 * Figures as SVG documents, without a browser.
 *
 * @module
 */
import { parseHTML } from "linkedom";
import { drawFigure, type Figure, type FigureDocument } from "./plot.ts";

const { document } = parseHTML("<html><body></body></html>") as unknown as {
  document: FigureDocument;
};

/** Draws a figure as an SVG document. Lengths are rounded to 0.01 pixels. */
export function figureSvg(figure: Figure): string {
  const text: string = drawFigure(figure, document).outerHTML;
  return text
    .replaceAll(
      /="[^"]*"/g,
      (value) => value.replaceAll(/\d+\.\d{3,}/g, (n) => String(Math.round(Number(n) * 100) / 100)),
    )
    .replaceAll("><", ">\n<") + "\n";
}
