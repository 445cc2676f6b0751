import { assertEquals, assertThrows } from "@std/assert";
import { type Cell, Maze, mazes } from "../../lib/envs/mazes.ts";

const maze = (name: string) => mazes.get(name)!;
const cell = (row: number, column: number): Cell => ({ row, column });

Deno.test("mazes: contains D4RL's seven mazes with the right numbers of free cells", () => {
  const free = [...mazes.values()].map((
    { name, ...rest },
  ) => [name, maze(name).freeCells().length, rest.rows]);
  assertEquals(free, [
    ["maze2d-umaze", 7, 5],
    ["maze2d-medium", 26, 8],
    ["maze2d-large", 46, 9],
    ["maze2d-open", 15, 5],
    ["antmaze-umaze", 7, 5],
    ["antmaze-medium", 26, 8],
    ["antmaze-large", 46, 9],
  ]);
});

Deno.test("Maze.goal: is D4RL's target", () => {
  const goals = [...mazes.values()].map((one) => [...one.point(one.goal)]);
  assertEquals(goals, [[1, 1], [6, 6], [7, 9], [2, 3], [0, 8], [20, 20], [32, 24]]);
});

Deno.test("Maze.center(): is 0.2 below the point of a maze2d cell, and equals that of an antmaze cell", () => {
  assertEquals(maze("maze2d-umaze").center(cell(2, 3)), [1.8, 2.8]);
  assertEquals(maze("antmaze-umaze").center(cell(2, 3)), [8, 4]);
  assertEquals(maze("antmaze-umaze").point(cell(1, 1)), [0, 0]);
});

Deno.test("Maze.isWall(): is true for walls and outside the grid", () => {
  const umaze = maze("maze2d-umaze");
  assertEquals(umaze.isWall(cell(1, 1)), false);
  assertEquals(umaze.isWall(cell(2, 1)), true);
  assertEquals(umaze.isWall(cell(-1, 1)), true);
  assertEquals(umaze.isWall(cell(1, 5)), true);
});

Deno.test("Maze.cellAt(): finds each free cell by its point and center, and never returns a wall", () => {
  for (const one of mazes.values()) {
    for (const free of one.freeCells()) {
      assertEquals(one.cellAt(one.point(free)), free);
      assertEquals(one.cellAt(one.center(free)), free);
    }
    for (const any of one.cells()) assertEquals(one.isWall(one.cellAt(one.center(any))), false);
  }
});

Deno.test("Maze.shortestPath(): finds the path through umaze, including both ends", () => {
  const path = maze("maze2d-umaze").shortestPath(cell(3, 1), cell(1, 1));
  assertEquals(
    path,
    [[3, 1], [3, 2], [3, 3], [2, 3], [1, 3], [1, 2], [1, 1]].map(([r, c]) => cell(r!, c!)),
  );
  assertEquals(maze("maze2d-umaze").shortestPath(cell(1, 2), cell(1, 2)), [cell(1, 2)]);
});

Deno.test("Maze.shortestPath(): moves between adjacent free cells, with the length from value iteration", () => {
  for (const one of mazes.values()) {
    const free = one.freeCells();
    const key = ({ row, column }: Cell) => `${row},${column}`;
    for (const to of [free[0]!, one.goal]) {
      // Distances by value iteration, an independent method.
      const distances = new Map(free.map((at) => [key(at), key(at) === key(to) ? 0 : Infinity]));
      for (let sweep = 0; sweep < free.length; sweep++) {
        for (const { row, column } of free) {
          const around = [
            cell(row - 1, column),
            cell(row + 1, column),
            cell(row, column - 1),
            cell(row, column + 1),
          ];
          const best = Math.min(...around.map((at) => (distances.get(key(at)) ?? Infinity) + 1));
          distances.set(key({ row, column }), Math.min(best, distances.get(key({ row, column }))!));
        }
      }
      for (const from of free) {
        const path = one.shortestPath(from, to);
        assertEquals(path.length - 1, distances.get(key(from)));
        assertEquals([path[0], path.at(-1)], [from, to]);
        assertEquals(path.some((at) => one.isWall(at)), false);
        for (let i = 1; i < path.length; i++) {
          const [a, b] = [path[i - 1]!, path[i]!];
          assertEquals(Math.abs(a.row - b.row) + Math.abs(a.column - b.column), 1);
        }
      }
    }
  }
});

Deno.test("Maze.shortestPath(): names the two cells if no path connects them", () => {
  const split = new Maze("split", ["G#.."], 1, ({ row, column }) => [row, column], 0);
  assertThrows(
    () => split.shortestPath(cell(0, 2), cell(0, 0)),
    RangeError,
    "split has no path from row 0, column 2 to row 0, column 0",
  );
});
