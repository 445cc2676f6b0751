/**
 * A maze picture: the density of the data, the critic's value, and each policy's actions and
 * episodes, side by side.
 *
 * @module
 */
// @ts-types="@types/d3-scale"
import { scaleLinear } from "d3-scale";
// @ts-types="@types/d3-scale-chromatic"
import { interpolateMagma, interpolateViridis } from "d3-scale-chromatic";
import { goalRadius, type Maze } from "../envs/mazes.ts";
import { axes, type Box, colorBar, colorScale, type Scale } from "./axes.ts";
import { element, label, picture, polyline, px } from "./svg.ts";

/** A quantity sampled at the points of {@linkcode mazePoints}. */
export interface MazeField {
  /** Points per cell and axis, as passed to {@linkcode mazePoints}. */
  readonly perCell: number;
  /** One number per point (a value) or two (an action), row-major. */
  readonly at: ArrayLike<number>;
}

/** Input of {@linkcode mazePicture}. All positions are `[x, y]` in observation coordinates. */
export interface MazePicture {
  /** The maze. */
  readonly maze: Maze;
  /** Title of the whole picture. */
  readonly title: string;
  /** Positions of the data set's rows, `[rows, 2]`. */
  readonly positions: ArrayLike<number>;
  /** State value at zero velocity, one number per point. */
  readonly value: MazeField;
  /** The policies, at least one in one document. Several get a row below the data and the value. */
  readonly policies: readonly DrawnPolicy[];
}

/** A policy in a maze picture. */
export interface DrawnPolicy {
  /** Title, for example `SRPO`. */
  readonly title: string;
  /** Action at zero velocity, two numbers per point, each in [−1, 1]. */
  readonly actions: MazeField;
  /** Episodes, each an array of positions `[steps + 1, 2]`; may be empty. */
  readonly trajectories: readonly ArrayLike<number>[];
}

/** Density bins per cell and axis. An even number, so that half a cell holds whole bins. */
const densityBins = 12;
/** Longest side of a panel's plot area, in pixels. */
const planeSize = 300;
/** Panels per row. */
const columns = 3;

/** Width of the drawn part of the outer wall, in cells. */
const outerWall = 0.3;

const wallColor = "#b9bdc4";
const goalColor = "#e4003a";
const pathColor = "#1f6fd0";

/**
 * Returns points `[n, 2]` in observation coordinates, cell by cell. They are the centers of a grid
 * of `perCell` × `perCell` squares in each free cell.
 */
export function mazePoints(maze: Maze, perCell: number): Float64Array {
  const side = maze.cellSize / perCell;
  const points = maze.freeCells().flatMap((cell) => {
    const [x, y] = maze.center(cell);
    return Array.from({ length: perCell * perCell }, (_, i) => [
      x + (Math.floor(i / perCell) + 0.5 - perCell / 2) * side,
      y + ((i % perCell) + 0.5 - perCell / 2) * side,
    ]);
  });
  return Float64Array.from(points.flat());
}

/** Space around a panel's plot area in a picture of several, and of one, in pixels. */
const around = { left: 60, top: 74, right: 60, bottom: 84 };
const alone = { left: 60, top: 34, right: 76, bottom: 48 };

/** Draws the panels of a maze as one SVG document. */
export function mazePicture(drawn: MazePicture): string {
  const { width, height } = planeSizeOf(drawn.maze);
  const place = (row: number, column: number): Place => [
    around.left + column * (width + around.left + around.right),
    around.top + row * (height + around.bottom),
  ];
  const single = drawn.policies.length === 1;
  const places = drawn.policies.map((_, i) =>
    single ? place(0, 2) : place(1 + Math.floor(i / columns), i % columns)
  );
  return picture(
    drawn.title,
    columns * (width + around.left + around.right) - 20,
    places.at(-1)![1] + height + alone.bottom,
    label(60, 28, drawn.title, "start", { "font-size": 16, "font-weight": "bold" }),
    ...panelsAt(drawn, [place(0, 0), place(0, 1), ...places]),
  );
}

/** Draws each panel of a maze as an SVG document, so that a page can arrange them. */
export function mazePanels(drawn: MazePicture): string[] {
  const { width, height } = planeSizeOf(drawn.maze);
  const places = Array.from(
    { length: 2 + drawn.policies.length },
    (): Place => [alone.left, alone.top],
  );
  const names = ["the data", "the learned value", ...drawn.policies.map(({ title }) => title)];
  return panelsAt(drawn, places).map((panel, i) =>
    picture(
      `${drawn.title.split(":")[0]}: ${names[i]}`,
      alone.left + width + alone.right,
      alone.top + height + alone.bottom,
      panel,
    )
  );
}

/** Upper left corner of a plot area in pixels. */
type Place = readonly [left: number, top: number];

/** Returns the size of a maze's plot area in pixels. */
function planeSizeOf(maze: Maze): { width: number; height: number } {
  const { left, right, bottom, top } = mazeBounds(maze);
  const pixels = planeSize / Math.max(right - left, top - bottom);
  return { width: (right - left) * pixels, height: (top - bottom) * pixels };
}

/** Draws the data, the value and the policies, in this order, at the given places. */
function panelsAt(drawn: MazePicture, places: readonly Place[]): string[] {
  const { maze } = drawn;
  const bounds = mazeBounds(maze);
  const { width, height } = planeSizeOf(maze);
  // Clamped scales cut off the outer wall at the frame.
  const [data, value, ...policies] = places.map(([left, top]): Plane => ({
    box: { left, top, width, height },
    x: scaleLinear([bounds.left, bounds.right], [left, left + width]).clamp(true),
    y: scaleLinear([bounds.bottom, bounds.top], [top + height, top]).clamp(true),
  })) as [Plane, Plane, ...Plane[]];
  const counts = density(maze, drawn.positions);
  const countColors = colorScale(0, Math.max(1, ...counts), lightToDark, "root");
  const values = Array.from(drawn.value.at);
  const valueColors = colorScale(Math.min(...values), Math.max(...values), interpolateViridis);
  const bar = ({ box }: Plane): Box => ({ ...box, left: box.left + width + 12, width: 12 });
  const rows = drawn.positions.length / 2;
  return [
    heat(
      data,
      maze,
      { perCell: densityBins, at: counts },
      (count) => count === 0 ? null : countColors.map(countColors.place(count)),
    ) +
    frame(data, maze, `Data: ${rows.toLocaleString("en-US")} rows`) +
    colorBar(bar(data), countColors, "rows"),
    heat(value, maze, drawn.value, (at) => valueColors.map(valueColors.place(at))) +
    frame(value, maze, "Value V(s) at rest") +
    colorBar(bar(value), valueColors, "V"),
    ...drawn.policies.map(({ title, actions, trajectories }, i) =>
      arrows(policies[i]!, maze, actions) +
      trajectories.map((path) => trajectory(policies[i]!, path)).join("") +
      frame(policies[i]!, maze, policyTitle(title, trajectories.length))
    ),
  ];
}

function policyTitle(title: string, episodes: number): string {
  if (episodes === 0) return `${title} at rest`;
  return `${title} at rest, and ${episodes} episode${episodes === 1 ? "" : "s"}`;
}

/** Plot area of one panel: its position in the picture and its scales. */
interface Plane {
  readonly box: Box;
  readonly x: Scale;
  readonly y: Scale;
}

/** Returns the number of pixels per unit. */
function scalePixels(scale: Scale): number {
  const [low, high] = scale.domain() as [number, number];
  return (scale(high) - scale(low)) / (high - low);
}

function mazeBounds(maze: Maze) {
  const centers = maze.cells().map((cell) => maze.center(cell));
  const half = (outerWall - 0.5) * maze.cellSize;
  return {
    left: Math.min(...centers.map(([x]) => x)) - half,
    right: Math.max(...centers.map(([x]) => x)) + half,
    bottom: Math.min(...centers.map(([, y]) => y)) - half,
    top: Math.max(...centers.map(([, y]) => y)) + half,
  };
}

/** Counts the data rows in each square of {@linkcode mazePoints}. */
function density(maze: Maze, positions: ArrayLike<number>): number[] {
  const side = maze.cellSize / densityBins;
  const [cornerX, cornerY] = maze.center({ row: 0, column: 0 });
  // Counting from the center of a corner cell aligns the borders of squares and cells.
  const key = (x: number, y: number) =>
    `${Math.floor((x - cornerX) / side)},${Math.floor((y - cornerY) / side)}`;
  const counts = new Map<string, number>();
  for (let i = 0; i + 1 < positions.length; i += 2) {
    const square = key(positions[i]!, positions[i + 1]!);
    counts.set(square, (counts.get(square) ?? 0) + 1);
  }
  const points = mazePoints(maze, densityBins);
  return Array.from(
    { length: points.length / 2 },
    (_, i) => counts.get(key(points[2 * i]!, points[2 * i + 1]!)) ?? 0,
  );
}

/** A perceptually uniform color map from white (few) to black (many). */
function lightToDark(place: number): string {
  return interpolateMagma(1 - place);
}

/** Draws a colored square around each point. `color` returns null for squares left white. */
function heat(
  { x, y }: Plane,
  maze: Maze,
  { perCell, at }: MazeField,
  color: (at: number) => string | null,
): string {
  const points = mazePoints(maze, perCell);
  const half = maze.cellSize / perCell / 2;
  const squares = [];
  for (let i = 0; i < at.length; i++) {
    const fill = color(at[i]!);
    if (fill === null) continue;
    const left = x(points[2 * i]! - half);
    const top = y(points[2 * i + 1]! + half);
    squares.push(element("rect", {
      x: left,
      y: top,
      // Squares overlap slightly, so that rounding leaves no seams between them.
      width: x(points[2 * i]! + half) - left + 0.4,
      height: y(points[2 * i + 1]! - half) - top + 0.4,
      fill,
    }));
  }
  return element("g", { "shape-rendering": "crispEdges" }, ...squares);
}

/**
 * Draws one arrow per point. The longest possible action, (1, 1), almost spans the point spacing.
 */
function arrows({ x, y, box }: Plane, maze: Maze, { perCell, at }: MazeField): string {
  const points = mazePoints(maze, perCell);
  const unit = (0.92 * maze.cellSize * scalePixels(x)) / perCell / Math.SQRT2;
  let path = "";
  for (let i = 0; 2 * i + 1 < at.length; i++) {
    const dx = at[2 * i]! * unit;
    const dy = -at[2 * i + 1]! * unit;
    const length = Math.hypot(dx, dy);
    const tailX = x(points[2 * i]!) - dx / 2;
    const tailY = y(points[2 * i + 1]!) - dy / 2;
    path += polyline([tailX, tailY, tailX + dx, tailY + dy]);
    if (length < 1) continue;
    // The head: two strokes at 30° to the arrow, at most 1/2.5 of its length.
    const head = Math.min(length / 2.5, box.width / 60);
    const angle = Math.atan2(dy, dx);
    const barb = (turn: number) => [
      tailX + dx - head * Math.cos(angle + turn),
      tailY + dy - head * Math.sin(angle + turn),
    ];
    path += polyline([...barb(Math.PI / 6), tailX + dx, tailY + dy, ...barb(-Math.PI / 6)]);
  }
  return element("path", {
    d: path,
    fill: "none",
    stroke: "#555",
    "stroke-width": 1.2,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
}

/** Draws an episode as a line, with a dot at its start. */
function trajectory({ x, y }: Plane, path: ArrayLike<number>): string {
  const pixels = Float64Array.from(
    path,
    (coordinate, i) => i % 2 === 0 ? x(coordinate) : y(coordinate),
  );
  return element(
    "g",
    { opacity: 0.7 },
    element("path", {
      d: polyline(pixels),
      fill: "none",
      stroke: pathColor,
      "stroke-width": 1.8,
      "stroke-linejoin": "round",
    }),
    element("circle", { cx: pixels[0]!, cy: pixels[1]!, r: 3.4, fill: pathColor }),
  );
}

/** Draws the walls, the goal and the axes of a panel, on top of its content. */
function frame({ box, x, y }: Plane, maze: Maze, title: string): string {
  const half = maze.cellSize / 2;
  let walls = "";
  for (const cell of maze.cells().filter((each) => maze.isWall(each))) {
    const [centerX, centerY] = maze.center(cell);
    const [left, right] = [-half, half].map((step) => px(x(centerX + step)));
    const [bottom, top] = [-half, half].map((step) => px(y(centerY + step)));
    walls += `M${left} ${top}H${right}V${bottom}H${left}z`;
  }
  const [goalX, goalY] = maze.point(maze.goal);
  const ring = { cx: x(goalX), cy: y(goalY), fill: "none", stroke: goalColor, "stroke-width": 2 };
  const star = Array.from({ length: 10 }, (_, i) => {
    const radius = i % 2 === 0 ? 8 : 3.4;
    const angle = (i * Math.PI) / 5 - Math.PI / 2;
    return [x(goalX) + radius * Math.cos(angle), y(goalY) + radius * Math.sin(angle)];
  });
  return element(
    "g",
    {},
    element("path", { d: walls, fill: wallColor, stroke: wallColor, "stroke-width": 0.4 }),
    element("circle", { ...ring, r: goalRadius * scalePixels(x), "stroke-dasharray": "4 3" }),
    element("path", {
      d: polyline(star.flat()) + "z",
      fill: goalColor,
      stroke: "#fff",
      "stroke-width": 1,
    }),
    axes(box, { scale: x, name: "x", ticks: 5 }, { scale: y, name: "y", ticks: 5 }, title),
  );
}
