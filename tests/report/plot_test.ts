import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { figurePng } from "../../lib/report/figure_png.ts";
import { figureSvg } from "../../lib/report/figure_svg.ts";
import { seriesColor } from "../../lib/report/palette.ts";
import type { Figure } from "../../lib/report/plot.ts";
import { barMarks, groupedAxes, pointMarks } from "../../lib/report/plot_values.ts";

const figure: Figure = {
  title: "β & <σ²>",
  notes: ["seeds 0, 1"],
  legend: [{ name: "SRPO", color: seriesColor(0, 1) }],
  columns: 2,
  panels: [
    {
      title: "score against compute",
      x: { label: "FLOPs per action", type: "log" },
      y: { label: "D4RL score" },
      marks: pointMarks([
        { x: 1e3, y: 50, interval: [40, 60], label: "SRPO", values: [45, 55] },
        { x: 1e6, y: 70, interval: null },
      ], seriesColor(0, 1)),
    },
    {
      ...groupedAxes(["hopper"], ["a"]),
      y: { label: "D4RL score" },
      marks: barMarks([{ x: "hopper", y: 3, interval: [2, 4] }], "a", seriesColor(0, 1)),
    },
  ],
};

Deno.test("figureSvg(): names axes, series and panels, and escapes text", () => {
  const svg = figureSvg(figure);
  for (
    const text of [
      ">β &amp; &lt;σ²&gt;</text>",
      ">seeds 0, 1</text>",
      ">score against compute</text>",
      ">FLOPs per action<",
      ">D4RL score<",
      ">hopper<",
      ">SRPO<",
    ]
  ) assertStringIncludes(svg, text);
  assertEquals(svg, figureSvg(figure));
  assert(!/NaN|undefined|\.\d{3}/.test(svg), svg);
});

Deno.test("figureSvg(): defines every color that it uses, on a light and a dark background", () => {
  const svg = figureSvg(figure);
  const used = new Set([...svg.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name));
  assert(used.size >= 4);
  const [light, dark] = svg.match(/<style>(.*)@media \(prefers-color-scheme:dark\)(.*)<\/style>/)!
    .slice(1) as [string, string];
  for (const name of used) {
    const of = (css: string) => css.match(new RegExp(`${name}:(#\\w{6})`))?.[1];
    assert(of(light) !== undefined && of(light) !== of(dark), name);
  }
});

Deno.test("palette: series have a contrast of 3:1 to the background, in light and dark", () => {
  // WCAG 2.2, relative luminance and contrast; success criterion 1.4.11 for graphics
  const luminance = (color: string) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const value = parseInt(color.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const css = figureSvg(figure).match(/<style>(.*)<\/style>/)![1]!.split("@media");
  for (const scheme of css) {
    const paper = luminance(scheme.match(/--paper:(#\w+)/)![1]!);
    const series = [...scheme.matchAll(/--series-\d:(#\w+)/g)].map(([, color]) => color!);
    assertEquals(series.length, 6);
    for (const color of series) {
      const [low, high] = [paper, luminance(color)].sort((a, b) => a - b) as [number, number];
      assert((high + 0.05) / (low + 0.05) >= 3, color);
    }
  }
});

Deno.test("seriesColor(): gives many series distinct colors", () => {
  for (const count of [1, 6, 7, 20]) {
    const colors = Array.from({ length: count }, (_, i) => seriesColor(i, count));
    assertEquals(new Set(colors).size, count);
  }
});

Deno.test("figurePng(): renders text and colors at the given scale", async () => {
  const width = Number(figureSvg(figure).match(/ width="(\d+)"/)![1]);
  const png = await figurePng(figureSvg(figure), 1);
  assertEquals([...png.slice(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  assertEquals(new DataView(png.buffer).getUint32(16), width);
  const without = await figurePng(figureSvg({ ...figure, title: "" }), 1);
  assert(png.length > without.length); // the title is set, in a font that comes with the program
  const gray = await figurePng(figureSvg(figure).replaceAll("--series-0", "--muted"), 1);
  assert(png.length !== gray.length); // variables are resolved
});
