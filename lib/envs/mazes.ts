/**
 * The mazes of D4RL's maze2d and antmaze tasks: layouts, coordinates and shortest paths, without
 * physics. The source is D4RL's `pointmaze/maze_model.py` and `locomotion/maze_env.py`.
 *
 * All coordinates are observation coordinates, that is, the first two entries of `qpos`.
 *
 * @module
 */

/** A cell of a maze grid. Row 0, column 0 is the upper left corner. */
export interface Cell {
  /** Row, counted downwards from 0. */
  readonly row: number;
  /** Column, counted to the right from 0. */
  readonly column: number;
}

/** Distance from the goal within which D4RL's sparse reward in maze2d and antmaze is 1. */
export const goalRadius = 0.5;

/** A point `[x, y]` in observation coordinates. */
export type Point = readonly [x: number, y: number];

// "#" is a wall, "." a free cell, "G" the goal, "S" the ant's start. In antmaze, D4RL's data have other
// goals than its evaluation: "D" is a goal of the data alone, "E" that of the evaluation alone.
const MAZE2D = {
  "umaze": [
    "#####",
    "#G..#",
    "###.#",
    "#...#",
    "#####",
  ],
  "medium": [
    "########",
    "#..##..#",
    "#..#...#",
    "##...###",
    "#..#...#",
    "#.#..#.#",
    "#...#.G#",
    "########",
  ],
  "large": [
    "############",
    "#....#.....#",
    "#.##.#.#.#.#",
    "#......#...#",
    "#.####.###.#",
    "#..#.#.....#",
    "##.#.#.#.###",
    "#..#...#.G.#",
    "############",
  ],
  "open": [
    "#######",
    "#.....#",
    "#..G..#",
    "#.....#",
    "#######",
  ],
};

const ANTMAZE = {
  "umaze": [
    "#####",
    "#S..#",
    "###.#",
    "#G..#",
    "#####",
  ],
  "medium": [
    "########",
    "#S.##..#",
    "#..#..D#",
    "##...###",
    "#..#...#",
    "#D#..#.#",
    "#...#DE#",
    "########",
  ],
  "large": [
    "############",
    "#S...#D....#",
    "#.##.#.#.#.#",
    "#....D.#..D#",
    "#.####.###.#",
    "#.D#.#.....#",
    "##.#.#.#.###",
    "#..#D.D#.G.#",
    "############",
  ],
};

/** A maze: a grid of walls and free cells, placed in the plane. */
export class Maze {
  /** Name, for example `maze2d-umaze` or `antmaze-large`. */
  readonly name: string;
  /** Number of rows, including walls. */
  readonly rows: number;
  /** Number of columns, including walls. */
  readonly columns: number;
  /** Side length of a cell and of a wall block. */
  readonly cellSize: number;
  /** The cell that contains the goal of evaluations. */
  readonly goal: Cell;
  /** The cells that contain the goals of D4RL's antmaze data. */
  readonly dataGoals: readonly Cell[];
  readonly #grid: readonly string[];
  readonly #point: (cell: Cell) => Point;
  readonly #offset: number;

  /**
   * Places a grid in the plane.
   *
   * @param grid Rows of `#` (wall), `.` (free), `S` (start), `G` (goal), `D` (goal of the data
   * alone) and `E` (goal of the evaluation alone).
   * @param point Maps a cell to its reference point, see {@link Maze.point}.
   * @param offset Offset from a cell's reference point to its center, on both axes.
   */
  constructor(
    name: string,
    grid: readonly string[],
    cellSize: number,
    point: (cell: Cell) => Point,
    offset: number,
  ) {
    this.name = name;
    this.rows = grid.length;
    this.columns = grid[0]?.length ?? 0;
    this.cellSize = cellSize;
    const marked = (marks: string) =>
      this.cells().filter(({ row, column }) => marks.includes(grid[row]![column]!));
    this.goal = marked("GE")[0]!;
    this.dataGoals = marked("GD");
    this.#grid = grid;
    this.#point = point;
    this.#offset = offset;
  }

  /** Returns whether a cell is a wall. Cells outside the grid count as walls. */
  isWall({ row, column }: Cell): boolean {
    return (this.#grid[row]?.[column] ?? "#") === "#";
  }

  /** Returns all cells, row by row. */
  cells(): Cell[] {
    return Array.from(
      { length: this.rows * this.columns },
      (_, i) => ({ row: Math.floor(i / this.columns), column: i % this.columns }),
    );
  }

  /** Returns the cells that are not walls, including the goal cell, row by row. */
  freeCells(): Cell[] {
    return this.cells().filter((cell) => !this.isWall(cell));
  }

  /**
   * Returns the cell's reference point, which places starts, waypoints and goals. In maze2d it is
   * the point `[row, column]`, which is 0.2 off the cell's center on both axes. In antmaze it is
   * the center.
   */
  point(cell: Cell): Point {
    return this.#point(cell);
  }

  /** Returns the center of a cell's square. A wall block has the same center. */
  center(cell: Cell): Point {
    const [x, y] = this.#point(cell);
    return [x + this.#offset, y + this.#offset];
  }

  /**
   * Returns the free cell that contains the point, or the nearest one for a point inside a wall.
   */
  cellAt([x, y]: Point): Cell {
    const distance = (cell: Cell) => {
      const [centerX, centerY] = this.center(cell);
      return Math.max(Math.abs(x - centerX), Math.abs(y - centerY));
    };
    return this.freeCells().reduce((nearest, cell) =>
      distance(cell) < distance(nearest) ? cell : nearest
    );
  }

  /**
   * Returns a shortest path of up, down, left and right moves through free cells. It includes both
   * ends.
   *
   * @throws {RangeError} No path connects the two cells.
   */
  shortestPath(from: Cell, to: Cell): Cell[] {
    const key = (cell: Cell) => cell.row * this.columns + cell.column;
    // Breadth-first search from the end, so that following `next` from the start gives the path.
    const next = new Map<number, Cell>([[key(to), to]]);
    for (const queue = [to]; queue.length > 0;) {
      const { row, column } = queue.shift()!;
      const neighbors = [
        { row: row - 1, column },
        { row: row + 1, column },
        { row, column: column - 1 },
        { row, column: column + 1 },
      ];
      for (const neighbor of neighbors) {
        if (this.isWall(neighbor) || next.has(key(neighbor))) continue;
        next.set(key(neighbor), { row, column });
        queue.push(neighbor);
      }
    }
    const path = [from];
    for (let cell = from; key(cell) !== key(to); path.push(cell)) {
      const step = next.get(key(cell));
      if (step === undefined) {
        throw new RangeError(
          `Maze.shortestPath: ${this.name} has no path from row ${from.row}, column ${from.column} ` +
            `to row ${to.row}, column ${to.column}`,
        );
      }
      cell = step;
    }
    return path;
  }
}

function cellOf(grid: readonly string[], mark: string): Cell {
  const row = grid.findIndex((line) => line.includes(mark));
  return { row, column: grid[row]?.indexOf(mark) ?? -1 };
}

/** In maze2d, x increases with the row and y with the column; a cell is one unit wide. */
function maze2d(size: string, grid: readonly string[]): Maze {
  return new Maze(`maze2d-${size}`, grid, 1, ({ row, column }) => [row, column], -0.2);
}

/**
 * In antmaze, x increases with the column and y with the row; a cell is four units wide and the
 * start cell is the origin.
 */
function antmaze(size: string, grid: readonly string[]): Maze {
  const start = cellOf(grid, "S");
  const point = ({ row, column }: Cell): Point => [
    (column - start.column) * 4,
    (row - start.row) * 4,
  ];
  return new Maze(`antmaze-${size}`, grid, 4, point, 0);
}

/** All mazes by name: `maze2d-{open,umaze,medium,large}` and `antmaze-{umaze,medium,large}`. */
export const mazes: ReadonlyMap<string, Maze> = new Map(
  [
    ...Object.entries(MAZE2D).map(([size, grid]) => maze2d(size, grid)),
    ...Object.entries(ANTMAZE).map(([size, grid]) => antmaze(size, grid)),
  ].map((maze) => [maze.name, maze]),
);
