/**
 * Pictures of a recorded episode as SVG, for films and slides: the robot in three dimensions, with
 * its shadow, on a ground of tiles of one meter, or two meters in large mazes.
 *
 * @module
 */
import { goalRadius } from "../envs/mazes.ts";
import type { Vector3 } from "../envs/mujoco/robot.ts";
import type { Limb, Solids, Wall } from "../envs/solids.ts";
import { Camera, plus, type Projected, robotView } from "./camera.ts";

/** Size of the pictures in pixels. Video encoders need multiples of 16. */
export const filmSize = { width: 1024, height: 576 } as const;

/** Intended number of frames per second. */
const frameRate = 25;

const colors = {
  sky: [238, 242, 246],
  tiles: [[236, 242, 248], [219, 227, 236]],
  wall: { top: "#b9c5d4", side: "#94a1b2" },
  limbs: ["#2b6cb0", "#e2762d", "#3f9a8a"],
  goal: "#12a150",
  text: "#59636e",
} as const;

/** Horizontal offset of a shadow in meters, per meter of height. */
const sun = [0.35, 0.45] as const;

/** A film. */
export interface Film {
  /** Frames per second, so that it plays in real time. */
  readonly frameRate: number;
  /** The frames as SVG documents. */
  readonly frames: readonly string[];
}

/**
 * Returns the film of an episode.
 *
 * @param caption Returns the text in the corner for a number of steps taken.
 */
export function filmOf(solids: Solids, caption: (steps: number) => string): Film {
  const { poses, stepSeconds } = solids;
  const stride = Math.max(1, Math.round(1 / frameRate / stepSeconds));
  const frames = poses.flatMap((pose, step) => {
    if (step % stride !== 0 && step !== poses.length - 1) return [];
    const { camera, target } = cameraOf(solids, pose);
    const faces = solids.walls.map((wall) => facesOf(camera, wall));
    const body = [
      ground(camera, target, solids),
      solids.goal === null ? "" : goalSvg(camera, solids.goal, solids.floor),
      shadows(camera, pose, solids.floor),
      ...faces.map(({ sides }) => sides),
      ...pose.map((limb) => ({
        depth: camera.project(middle(limb)).depth,
        svg: limbSvg(camera, limb),
      })).sort((a, b) => b.depth - a.depth).map(({ svg }) => svg),
      // The tops of walls hide what stands behind them, and nothing is above them.
      ...faces.map(({ top }) => top),
    ];
    return [document(body.join(""), caption(step))];
  });
  return { frameRate: 1 / (stride * stepSeconds), frames };
}

/** Where the camera stands: beside the robot, or above the maze. */
function cameraOf(
  { terrain, floor, walls }: Solids,
  pose: readonly Limb[],
): { readonly camera: Camera; readonly target: Vector3 } {
  if (terrain === "maze") {
    const ends = walls.flatMap(({ center: [x, y], half: [dx, dy] }) =>
      [[x - dx, y - dy], [x + dx, y + dy]] as const
    );
    const [xs, ys] = [ends.map(([x]) => x), ends.map(([, y]) => y)];
    const middleOf = (values: readonly number[]) => (Math.min(...values) + Math.max(...values)) / 2;
    const target: Vector3 = [middleOf(xs), middleOf(ys), floor];
    const radius = Math.hypot(Math.max(...xs) - target[0], Math.max(...ys) - target[1]);
    const distance = 2.6 * radius;
    const eye = plus(target, [0, -0.3 * distance, 0.95 * distance]);
    return { camera: new Camera(eye, target, filmSize), target };
  }
  const [x, y] = middle(pose[0]!);
  const { height, offset } = robotView[terrain];
  const target: Vector3 = [x, y, floor + height];
  return { camera: new Camera(plus(target, offset), target, filmSize), target };
}

function middle({ ends: [a, b] }: Limb): Vector3 {
  return a.map((at, axis) => (at + b[axis]!) / 2) as unknown as Vector3;
}

/** Tiles around the target, which fade into the sky. */
function ground(camera: Camera, [x, y, z]: Vector3, { floor }: Solids): string {
  // Seen from far away, tiles are larger, so that there are not more of them.
  const side = Math.hypot(camera.eye[1] - y, camera.eye[2] - z) > 20 ? 2 : 1;
  const reach = side === 2 ? 26 : 16;
  const [column, row] = [Math.round(x / side), Math.round(y / side)];
  const tiles: string[] = [];
  for (let i = column - reach; i < column + reach; i++) {
    for (let j = row - reach; j < row + reach; j++) {
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([dx, dy]) =>
        camera.project([(i + dx!) * side, (j + dy!) * side, floor])
      );
      if (corners.some(({ depth }) => depth < 0.2) || corners.every(outside)) continue;
      const away = Math.hypot(i + 0.5 - column, j + 0.5 - row) / reach;
      const color = colors.tiles[(i + j) & 1]!.map((value, channel) =>
        Math.round(value + (colors.sky[channel]! - value) * Math.min(1, away ** 2))
      );
      tiles.push(`<path d="${pathOf(corners)}" fill="rgb(${color})"/>`);
    }
  }
  return tiles.join("");
}

function outside({ x, y }: Projected): boolean {
  return x < 0 || y < 0 || x > filmSize.width || y > filmSize.height;
}

function shadows(camera: Camera, pose: readonly Limb[], floor: number): string {
  const fallen = ([x, y, z]: Vector3): Vector3 => [
    x + sun[0] * (z - floor),
    y + sun[1] * (z - floor),
    floor,
  ];
  const paths = pose.map(({ ends: [a, b], radius }) =>
    hull(camera.project(fallen(a)), camera.project(fallen(b)), radius * 0.9, 0.45)
  );
  return `<g opacity="0.22" fill="#1f2328">${paths.join("")}</g>`;
}

/** A limb, with a light stripe on the side of the sun. The colors of limbs alternate. */
function limbSvg(camera: Camera, { ends: [a, b], radius, limb }: Limb): string {
  const color = colors.limbs[limb === 0 ? 0 : 1 + (limb - 1) % 2];
  const lifted = (end: Vector3) => plus(end, [-0.3 * radius, -0.3 * radius, 0.35 * radius]);
  const [whole, stripe] = [
    hull(camera.project(a), camera.project(b), radius),
    hull(camera.project(lifted(a)), camera.project(lifted(b)), 0.42 * radius),
  ];
  return `<g fill="${color}" stroke="#1f2328" stroke-opacity="0.18">${whole}</g>` +
    `<g fill="#ffffff" opacity="0.28">${stripe}</g>`;
}

/** The outline of two circles and what lies between them; circles on the ground are flattened. */
function hull(a: Projected, b: Projected, radius: number, flat = 1): string {
  const ellipse = ({ x, y, scale }: Projected) =>
    `<ellipse cx="${px(x)}" cy="${px(y)}" rx="${px(radius * scale)}" ry="${
      px(radius * scale * flat)
    }" stroke="none"/>`;
  const [dx, dy] = [b.x - a.x, (b.y - a.y) / flat];
  const length = Math.hypot(dx, dy);
  if (length < 0.5) return ellipse(a);
  const [nx, ny] = [-dy / length, dx / length * flat];
  const corner = ({ x, y, scale }: Projected, sign: number) => ({
    x: x + sign * nx * radius * scale,
    y: y + sign * ny * radius * scale,
  });
  const path = pathOf([corner(a, 1), corner(b, 1), corner(b, -1), corner(a, -1)]);
  return `${ellipse(a)}${ellipse(b)}<path d="${path}" stroke="none"/>`;
}

/** The faces of a wall that can be seen from above and from the south. */
function facesOf(
  camera: Camera,
  { center: [x, y, z], half: [dx, dy, dz] }: Wall,
): { readonly sides: string; readonly top: string } {
  const face = (color: string, corners: readonly Vector3[]) => {
    const points = corners.map(([sx, sy, sz]) =>
      camera.project([x + sx * dx, y + sy * dy, z + sz * dz])
    );
    return `<path d="${pathOf(points)}" fill="${color}" stroke="${color}"/>`;
  };
  const side = camera.eye[0] > x ? 1 : -1;
  const { wall } = colors;
  return {
    sides: face(wall.side, [[side, -1, -1], [side, 1, -1], [side, 1, 1], [side, -1, 1]]) +
      face(wall.side, [[-1, -1, -1], [1, -1, -1], [1, -1, 1], [-1, -1, 1]]),
    top: face(wall.top, [[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]]),
  };
}

/** The circle within which a goal is reached. */
function goalSvg(camera: Camera, [x, y]: readonly [number, number], floor: number): string {
  const points = Array.from({ length: 48 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 48;
    return camera.project([
      x + goalRadius * Math.cos(angle),
      y + goalRadius * Math.sin(angle),
      floor,
    ]);
  });
  return `<path d="${pathOf(points)}" fill="${colors.goal}" fill-opacity="0.25" ` +
    `stroke="${colors.goal}" stroke-width="4"/>`;
}

function pathOf(points: readonly { readonly x: number; readonly y: number }[]): string {
  return `M${points.map(({ x, y }) => `${px(x)} ${px(y)}`).join("L")}Z`;
}

function px(value: number): string {
  return value.toFixed(1);
}

function document(body: string, caption: string): string {
  const { width, height } = filmSize;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="100%" height="100%" fill="rgb(${colors.sky})"/>${body}` +
    `<text x="24" y="${
      height - 24
    }" font-family="sans-serif" font-size="22" fill="${colors.text}">` +
    `${caption}</text></svg>`;
}
