/**
 * Figures as PNG, rendered by resvg.
 *
 * @module
 */
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import wasm from "@resvg/resvg-wasm/index_bg.wasm" with { type: "bytes" };
import bold from "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf" with { type: "bytes" };
import regular from "dejavu-fonts-ttf/ttf/DejaVuSans.ttf" with { type: "bytes" };
import { inLightColors } from "./palette.ts";

let ready: Promise<void> | undefined;

/**
 * Renders an SVG document in its light colors as PNG. Text is set in a font that comes with the
 * program, so the result does not depend on the machine's fonts.
 *
 * @param svg Result of `figureSvg`, or another SVG document.
 * @param scale Pixels of the image per pixel of the document.
 */
export async function figurePng(svg: string, scale = 2): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array((await render(svg, scale)).asPng());
}

/** Renders an SVG document like {@linkcode figurePng}, as red, green, blue and opacity by pixel. */
export async function figurePixels(svg: string, scale = 1): Promise<Uint8Array> {
  return (await render(svg, scale)).pixels;
}

async function render(svg: string, scale: number) {
  await (ready ??= initWasm(wasm));
  return new Resvg(inLightColors(svg), {
    fitTo: { mode: "zoom", value: scale },
    font: {
      fontBuffers: [regular, bold],
      defaultFontFamily: "DejaVu Sans",
      sansSerifFamily: "DejaVu Sans",
    },
  }).render();
}
