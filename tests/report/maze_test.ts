import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { mazes } from "../../lib/envs/mazes.ts";
import {
  type DrawnPolicy,
  type MazePicture,
  mazePicture,
  mazePoints,
} from "../../lib/report/maze.ts";

const umaze = mazes.get("maze2d-umaze")!;

/** Returns the attributes of all elements with a name in an SVG text, as strings. */
function elements(svg: string, name: string): Record<string, string>[] {
  return [...svg.matchAll(new RegExp(`<${name}((?: [\\w:-]+="[^"]*")*)/?>`, "g"))].map((match) =>
    Object.fromEntries([...match[1]!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, k, v]) => [k, v]))
  );
}

/** Asserts that every opened element of an SVG text is closed, in order. */
function assertBalanced(svg: string) {
  const open: string[] = [];
  for (const [, closing, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
    if (closing) assertEquals(open.pop(), name);
    else if (!empty) open.push(name!);
  }
  assertEquals(open, []);
}

function draw(
  overrides: Partial<MazePicture & Pick<DrawnPolicy, "actions" | "trajectories">> = {},
) {
  const { actions, trajectories, ...rest } = overrides;
  return mazePicture({
    maze: umaze,
    title: "umaze <&> co",
    positions: [1, 1],
    value: { perCell: 1, at: [1, 2, 3, 4, 5, 6, 7] },
    policies: [{
      title: "SRPO",
      actions: actions ?? { perCell: 1, at: new Array(14).fill(0) },
      trajectories: trajectories ?? [],
    }],
    ...rest,
  });
}

Deno.test("mazePoints(): spreads points evenly over each free cell", () => {
  assertEquals(mazePoints(umaze, 1).length, 14);
  // The first free cell of umaze is row 1, column 1, with center (0.8, 0.8).
  const [x0, y0, x1, y1, x2, y2, x3, y3] = mazePoints(umaze, 2);
  for (
    const [found, expected] of [[x0, 0.55], [y0, 0.55], [x1, 0.55], [y1, 1.05]] as const
  ) assertAlmostEquals(found!, expected, 1e-12);
  for (
    const [found, expected] of [[x2, 1.05], [y2, 0.55], [x3, 1.05], [y3, 1.05]] as const
  ) assertAlmostEquals(found!, expected, 1e-12);
  for (const name of mazes.keys()) {
    const maze = mazes.get(name)!;
    const points = mazePoints(maze, 3);
    assertEquals(points.length, maze.freeCells().length * 9 * 2);
    for (let i = 0; i < points.length; i += 2) {
      const cell = maze.freeCells()[Math.floor(i / 18)]!;
      const [x, y] = maze.center(cell);
      assert(Math.abs(points[i]! - x) < maze.cellSize / 2);
      assert(Math.abs(points[i + 1]! - y) < maze.cellSize / 2);
    }
  }
});

Deno.test("mazePicture(): returns one well-formed SVG with three titled panels and escaped text", () => {
  const svg = draw({ trajectories: [[3, 1, 3, 2], [3, 3, 2, 3]] });
  assertBalanced(svg);
  assertStringIncludes(svg, 'xmlns="http://www.w3.org/2000/svg"');
  assertStringIncludes(svg, "umaze &lt;&amp;&gt; co");
  for (const title of ["Data: 1 rows", "Value V(s) at rest", "SRPO at rest, and 2 episodes"]) {
    assertStringIncludes(svg, title);
  }
  assert(!/NaN|Infinity|undefined/.test(svg));
});

Deno.test("mazePicture(): draws the density at the positions of the rows, with y upwards", () => {
  const squares = (positions: number[]) => {
    const svg = draw({ positions });
    const group = svg.slice(svg.indexOf("crispEdges"));
    return elements(group.slice(0, group.indexOf("</g>")), "rect")
      .map(({ x, y, fill }) => ({ x: Number(x), y: Number(y), fill }));
  };
  const [low] = squares([1.01, 1.01]);
  const [right] = squares([3.01, 1.01]);
  const [high] = squares([1.01, 3.01]);
  assert(right!.x > low!.x + 100 && right!.y === low!.y);
  assert(high!.y < low!.y - 100 && high!.x === low!.x);
  const two = squares([1.01, 1.01, 1.01, 1.01, 3.01, 3.01]);
  assertEquals(two.length, 2);
  assert(two[0]!.fill !== two[1]!.fill);
});

Deno.test("mazePicture(): draws the largest value in viridis yellow and the smallest in its purple", () => {
  const svg = draw({ value: { perCell: 1, at: [0, 1, 1, 1, 1, 1, 2] } });
  const value = svg.split("crispEdges")[2]!;
  const fills = elements(value.slice(0, value.indexOf("</g>")), "rect").map(({ fill }) => fill);
  assertEquals(fills, [
    "#440154",
    ...new Array(5).fill("#21918c"),
    "#fde725",
  ]);
});

Deno.test("mazePicture(): draws a constant value", () => {
  assert(!draw({ value: { perCell: 1, at: new Array(7).fill(3) } }).includes("NaN"));
});

Deno.test("mazePicture(): arrows point in the direction of the actions", () => {
  const arrow = (action: [number, number]) => {
    const svg = draw({ actions: { perCell: 1, at: [...action, ...new Array(12).fill(0)] } });
    const path = elements(svg, "path").find((each) => each["stroke-linecap"] === "round")!.d!;
    const [x0, y0, x1, y1] = path.match(/-?[\d.]+/g)!.map(Number);
    return [x1! - x0!, y1! - y0!] as const;
  };
  const [rightX, rightY] = arrow([1, 0]);
  assert(rightX > 10 && rightY === 0);
  const [upX, upY] = arrow([0, 1]);
  assert(upX === 0);
  assertAlmostEquals(upY, -rightX, 0.011);
  const [halfX] = arrow([0.5, 0]);
  assertAlmostEquals(halfX, rightX / 2, 0.011);
});

Deno.test("mazePicture(): draws the goal at its reference point, and draws antmazes", () => {
  const [goal] = elements(draw(), "circle");
  // The goal is at (1, 1). With the drawn part of the outer wall, the maze is 3.6 units wide from x
  // = 0.
  assertAlmostEquals(Number(goal!.cx), 60 + 300 / 3.6, 0.02);
  assertAlmostEquals(Number(goal!.cy), 74 + 300 - 300 / 3.6, 0.02);
  const maze = mazes.get("antmaze-large")!;
  const cells = maze.freeCells().length;
  assertBalanced(draw({
    maze,
    positions: [0, 0],
    value: { perCell: 1, at: Array.from({ length: cells }, (_, i) => i) },
    actions: { perCell: 1, at: new Array(2 * cells).fill(1) },
  }));
});

Deno.test("mazePicture(): several policies stand side by side below the data and the value", () => {
  const policies = ["AWR", "IDQL", "SRPO"].map((title) => ({
    title,
    actions: { perCell: 1, at: new Array(14).fill(0) },
    trajectories: [[1, 1, 1, 2]],
  }));
  const svg = draw({ policies });
  assertBalanced(svg);
  const at = (title: string) => {
    const [, x, y] = svg.match(new RegExp(`<text x="([\\d.]+)" y="([\\d.]+)"[^>]*>${title}`))!;
    return [Number(x), Number(y)] as const;
  };
  const places = policies.map(({ title }) => at(`${title} at rest, and 1 episode`));
  assertEquals(new Set(places.map(([, y]) => y)).size, 1);
  assert(places[0]![0] < places[1]![0] && places[1]![0] < places[2]![0]);
  assert(places[0]![1] > at("Data: 1 rows")[1]);
});
