/**
 * The curve of one number over the steps of an episode, on a canvas.
 *
 * @module
 */
import { cssColor } from "./colors.ts";

/** Space above and below the curve in pixels, so that its stroke is not cut off. */
const margin = 3;

/**
 * Draws a curve. The horizontal axis has room for all steps of an episode; the vertical one for all
 * values so far.
 *
 * @param color Variable of the style sheet.
 */
export function drawCurve(
  canvas: HTMLCanvasElement,
  values: readonly number[],
  steps: number,
  color: string,
): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(2, devicePixelRatio);
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const { low, high } = range(values);
  const x = (step: number) => (step / Math.max(1, steps - 1)) * width;
  const y = (value: number) =>
    height - margin - ((value - low) / (high - low)) * (height - 2 * margin);
  context.strokeStyle = cssColor("rule");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, y(0));
  context.lineTo(width, y(0));
  if (low <= 0 && high >= 0) context.stroke();
  context.strokeStyle = cssColor(color);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  values.forEach((value, step) => context.lineTo(x(step), y(value)));
  context.stroke();
  if (values.length === 0) return;
  context.fillStyle = cssColor(color);
  context.beginPath();
  context.arc(x(values.length - 1), y(values.at(-1)!), 2.5, 0, 2 * Math.PI);
  context.fill();
}

/** Smallest and largest value; an interval around them if they are equal. */
function range(values: readonly number[]): { readonly low: number; readonly high: number } {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (values.length === 0) return { low: -1, high: 1 };
  return low === high ? { low: low - 1, high: high + 1 } : { low, high };
}
