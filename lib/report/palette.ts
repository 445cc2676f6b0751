/**
 * Colors of figures and reports, for a light and a dark background.
 *
 * @module
 */
// @ts-types="@types/d3-scale-chromatic"
import { interpolateViridis } from "d3-scale-chromatic";

/** A color on a light and on a dark background. */
type Pair = readonly [light: string, dark: string];

const palette: Readonly<Record<string, Pair>> = {
  paper: ["#ffffff", "#15181c"],
  ink: ["#1f2328", "#e6e9ed"],
  muted: ["#59636e", "#9aa5b1"],
  rule: ["#c4cad1", "#444c56"],
  // Series: Okabe and Ito's colors, which color-blind readers can tell apart, with more contrast
  // to the background.
  "series-0": ["#0068b0", "#58aef2"],
  "series-1": ["#c94f00", "#ff8f4d"],
  "series-2": ["#00805f", "#2cc29a"],
  "series-3": ["#b0508a", "#e58fc2"],
  "series-4": ["#8a6d00", "#e0b93c"],
  "series-5": ["#4b5563", "#b4bec9"],
};

const seriesCount = Object.keys(palette).filter((name) => name.startsWith("series-")).length;

/** CSS that defines the variables, light by default and dark if the reader prefers it. */
export const paletteStyle = `.themed{${variables(0)}}` +
  `@media (prefers-color-scheme:dark){.themed{${variables(1)}}}`;

/** Returns the color of series `index` of `count`. Many series are spaced along a color map. */
export function seriesColor(index: number, count: number): string {
  if (count <= seriesCount) return `var(--series-${index})`;
  // The ends of the map have too little contrast to a dark or a light background.
  return interpolateViridis(0.15 + (0.7 * index) / (count - 1));
}

/** Replaces the variables in SVG text by their colors on a light background. */
export function inLightColors(svg: string): string {
  return svg.replace(/<style>.*?<\/style>/gs, "")
    .replaceAll(/var\(--([\w-]+)\)/g, (whole, name) => palette[name]?.[0] ?? whole);
}

function variables(scheme: 0 | 1): string {
  return Object.entries(palette).map(([name, pair]) => `--${name}:${pair[scheme]}`).join(";");
}
