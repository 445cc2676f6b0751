/**
 * Shared parts of chart panels: axes, color scales and color bars.
 *
 * @module
 */
// @ts-types="@types/d3-scale"
import { type ScaleContinuousNumeric, scaleLinear, scaleSqrt } from "d3-scale";
import { element, label, polyline } from "./svg.ts";

/** Maps a quantity to pixels. */
export type Scale = ScaleContinuousNumeric<number, number>;

/** Position and size of a panel's plot area in the picture, in pixels. */
export interface Box {
  /** Left edge. */
  readonly left: number;
  /** Upper edge. */
  readonly top: number;
  /** Width. */
  readonly width: number;
  /** Height. */
  readonly height: number;
}

const axisColor = "#888";

/** One axis of a panel. */
export interface Axis {
  /** Maps the quantity to pixels. */
  readonly scale: Scale;
  /** Axis label. */
  readonly name: string;
  /** Approximate number of ticks. */
  readonly ticks: number;
  /** d3-format specifier of the tick labels; defaults to the scale's own format. */
  readonly format?: string;
}

/** Draws a panel's frame, ticks, axis labels and title. */
export function axes(box: Box, x: Axis, y: Axis, title: string): string {
  const bottom = box.top + box.height;
  const marks = [];
  const xFormat = x.scale.tickFormat(x.ticks, x.format);
  for (const tick of x.scale.ticks(x.ticks)) {
    const at = x.scale(tick);
    marks.push(
      element("path", { d: polyline([at, bottom, at, bottom + 4]), stroke: axisColor }),
      label(at, bottom + 17, xFormat(tick), "middle", { "font-size": 11 }),
    );
  }
  const yFormat = y.scale.tickFormat(y.ticks, y.format);
  for (const tick of y.scale.ticks(y.ticks)) {
    const text = yFormat(tick); // a logarithmic scale labels only some of its ticks
    if (text === "") continue;
    const at = y.scale(tick);
    marks.push(
      element("path", { d: polyline([box.left - 4, at, box.left, at]), stroke: axisColor }),
      label(box.left - 7, at + 4, text, "end", { "font-size": 11 }),
    );
  }
  const middle = box.top + box.height / 2;
  const turned = box.left - 38;
  return element(
    "g",
    {},
    element("rect", {
      x: box.left,
      y: box.top,
      width: box.width,
      height: box.height,
      fill: "none",
      stroke: axisColor,
    }),
    ...marks,
    label(box.left + box.width / 2, bottom + 33, x.name),
    label(turned, middle, y.name, "middle", {
      transform: `rotate(-90 ${turned} ${Math.round(middle)})`,
    }),
    label(box.left, box.top - 10, title, "start", { "font-size": 14, "font-weight": "bold" }),
  );
}

/** Maps a quantity to a color. */
export interface ColorScale {
  /** Maps a quantity to a position in [0, 1] on the color map. */
  readonly place: Scale;
  /** Maps a position to a color. */
  readonly map: (place: number) => string;
}

/**
 * Creates a color scale from `low` to `high`. `root` spacing gives small quantities more colors,
 * which suits counts. If `low` equals `high`, the scale returns the middle color.
 */
export function colorScale(
  low: number,
  high: number,
  map: (place: number) => string,
  spacing: "linear" | "root" = "linear",
): ColorScale {
  const scale = spacing === "root" ? scaleSqrt() : scaleLinear();
  const place = low === high ? scale.domain([low - 1, high + 1]) : scale.domain([low, high]);
  return { place: place.range([0, 1]), map };
}

/** Draws the color bar of a scale in `box`, which lies right of a panel. */
export function colorBar(box: Box, { place, map }: ColorScale, name: string): string {
  const strips = 64;
  const height = box.height / strips;
  const bar = Array.from({ length: strips }, (_, i) =>
    element("rect", {
      x: box.left,
      y: box.top + box.height - (i + 1) * height,
      width: box.width,
      height: height + 0.5, // overlaps the next strip to avoid a visible seam
      fill: map((i + 0.5) / strips),
    }));
  const right = box.left + box.width;
  const format = place.tickFormat(5);
  const ticks = place.ticks(5).flatMap((tick) => {
    const at = box.top + box.height * (1 - place(tick));
    return [
      element("path", { d: polyline([right, at, right + 3, at]), stroke: axisColor }),
      label(right + 6, at + 4, format(tick), "start", { "font-size": 11 }),
    ];
  });
  return element(
    "g",
    {},
    ...bar,
    element("rect", { ...box, x: box.left, y: box.top, fill: "none", stroke: axisColor }),
    ...ticks,
    label(box.left, box.top - 10, name, "start", { "font-size": 11 }),
  );
}
