/**
 * Plays a recorded episode on a canvas of the live page.
 *
 * @module
 */
import { goalRadius } from "../../envs/mazes.ts";
import type { LiveEpisode } from "../live_message.ts";
import { byId } from "./dom.ts";

/** Frames per second. */
const frameRate = 25;
/** Height of the side view in meters, and the part of it below the ground. */
const sideView = { height: 2.2, below: 0.2 };

let playing: LiveEpisode | null = null;

/** Plays an episode again and again in the canvas of this id, instead of the one before. */
export function playEpisode(id: string, episode: LiveEpisode): void {
  playing = episode;
  const canvas = byId<HTMLCanvasElement>(id);
  const context = canvas.getContext("2d")!;
  let began: number | null = null;
  const draw = (now: number) => {
    if (playing !== episode) return;
    began ??= now;
    // The last frame stays for a second.
    const place = Math.floor(((now - began) / 1000) * frameRate) %
      (episode.frames.length + frameRate);
    drawFrame(context, canvas, episode, Math.min(place, episode.frames.length - 1));
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}

function drawFrame(
  context: CanvasRenderingContext2D,
  { width, height }: { readonly width: number; readonly height: number },
  episode: LiveEpisode,
  place: number,
): void {
  const { view, frames, radii, walls, goal, stride, steps } = episode;
  const frame = frames[place]!;
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => style.getPropertyValue(`--${name}`);
  const { pixels, x, y } = view === "side"
    ? sideScale(frame, width, height)
    : aboveScale(walls, width, height);
  context.clearRect(0, 0, width, height);
  context.fillStyle = color("rule");
  if (view === "side") {
    context.fillRect(0, y(0), width, height - y(0));
    // Marks on the ground, one per meter, show how far the robot has come.
    context.fillStyle = color("muted");
    const first = Math.ceil((frame[0] ?? 0) - width / pixels / 2);
    for (let meter = first; x(meter) < width; meter++) context.fillRect(x(meter), y(0), 1, 6);
  }
  for (const [wallX, wallY, half] of walls) {
    context.fillRect(x(wallX - half), y(wallY + half), 2 * half * pixels, 2 * half * pixels);
  }
  context.lineCap = "round";
  if (goal !== null) {
    context.strokeStyle = color("series-1");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x(goal[0]), y(goal[1]), goalRadius * pixels, 0, 2 * Math.PI);
    context.stroke();
  }
  context.strokeStyle = color("series-0");
  if (view === "above") {
    context.globalAlpha = 0.4;
    context.lineWidth = 2;
    context.beginPath();
    for (const [pathX, pathY] of frames.slice(0, place + 1)) context.lineTo(x(pathX!), y(pathY!));
    context.stroke();
    context.globalAlpha = 1;
  }
  radii.forEach((radius, part) => {
    const [x0, y0, x1, y1] = frame.slice(4 * part, 4 * part + 4) as [
      number,
      number,
      number,
      number,
    ];
    context.lineWidth = Math.max(3, 2 * radius * pixels);
    context.beginPath();
    context.moveTo(x(x0), y(y0));
    context.lineTo(x(x1) + 0.01, y(y1)); // a segment of length 0 would not be drawn
    context.stroke();
  });
  context.fillStyle = color("muted");
  context.font = "12px sans-serif";
  context.fillText(`step ${Math.min(place * stride, steps)} of ${steps}`, 8, 16);
}

/** The camera follows the robot's first part. */
function sideScale(frame: readonly number[], width: number, height: number) {
  const pixels = height / sideView.height;
  const center = frame[0] ?? 0;
  return {
    pixels,
    x: (at: number) => width / 2 + (at - center) * pixels,
    y: (at: number) => height - (at + sideView.below) * pixels,
  };
}

/** The whole maze is shown. */
function aboveScale(walls: LiveEpisode["walls"], width: number, height: number) {
  const lefts = walls.map(([x, , half]) => x - half);
  const rights = walls.map(([x, , half]) => x + half);
  const bottoms = walls.map(([, y, half]) => y - half);
  const tops = walls.map(([, y, half]) => y + half);
  const [left, right] = [Math.min(...lefts), Math.max(...rights)];
  const [bottom, top] = [Math.min(...bottoms), Math.max(...tops)];
  const pixels = Math.min(width / (right - left), height / (top - bottom));
  return {
    pixels,
    x: (at: number) => width / 2 + (at - (left + right) / 2) * pixels,
    y: (at: number) => height / 2 - (at - (bottom + top) / 2) * pixels,
  };
}
