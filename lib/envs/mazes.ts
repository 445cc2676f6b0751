/**
 * The mazes of D4RL's maze2d and antmaze tasks: layouts, coordinates and shortest paths, without
 * physics. The source is D4RL's `pointmaze/maze_model.py` and `locomotion/maze_env.py`.
 *
 * All coordinates are those of the observations: the first two entries of `qpos`.
 *
 * @module
 */

/** A cell of a maze's grid, counted from the upper left corner. */
export interface Cell {
  /** From 0, downwards. */
  readonly row: number;
  /** From 0, to the right. */
  readonly column: number;
}

/** A point `[x, y]` in the coordinates of the observations. */
export type Point = readonly [x: number, y: number];

// "#" is a wall, "." free, "G" the goal, "S" where the ant starts.
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
    "#..#...#",
    "##...###",
    "#..#...#",
    "#.#..#.#",
    "#...#.G#",
    "########",
  ],
  "large": [
    "############",
    "#S...#.....#",
    "#.##.#.#.#.#",
    "#......#...#",
    "#.####.###.#",
    "#..#.#.....#",
    "##.#.#.#.###",
    "#..#...#.G.#",
    "############",
  ],
};

/** One maze: a grid of walls and free cells, laid into the plane. */
export class Maze {
  /** For example `maze2d-umaze` or `antmaze-large`. */
  readonly name: string;
  /** Number of rows, walls included. */
  readonly rows: number;
  /** Number of columns, walls included. */
  readonly columns: number;
  /** Side of a cell, and of a wall's square. */
  readonly cellSize: number;
  /** The cell the goal lies in. */
  readonly goal: Cell;
  readonly #grid: readonly string[];
  readonly #point: (cell: Cell) => Point;
  readonly #offset: number;

  /**
   * Lays a grid of `#` (wall), `.` (free), `G` (goal) and `S` (start) into the plane.
   *
   * @param point Where a cell's resting point lies, see {@link Maze.point}.
   * @param offset From a cell's resting point to its centre, on both axes.
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
    this.goal = cellOf(grid, "G");
    this.#grid = grid;
    this.#point = point;
    this.#offset = offset;
  }

  /** Whether a cell is a wall; what lies outside the grid is. */
  isWall({ row, column }: Cell): boolean {
    return (this.#grid[row]?.[column] ?? "#") === "#";
  }

  /** All cells, row by row. */
  cells(): Cell[] {
    return Array.from(
      { length: this.rows * this.columns },
      (_, i) => ({ row: Math.floor(i / this.columns), column: i % this.columns }),
    );
  }

  /** The cells that are not walls, the goal's among them, row by row. */
  freeCells(): Cell[] {
    return this.cells().filter((cell) => !this.isWall(cell));
  }

  /**
   * Where in a cell episodes start, waypoints and goals lie. In maze2d it is the point `[row, column]`,
   * which is 0.2 off the cell's centre on both axes; in antmaze it is the centre.
   */
  point(cell: Cell): Point {
    return this.#point(cell);
  }

  /** The centre of a cell's square, and of the wall that fills it. */
  center(cell: Cell): Point {
    const [x, y] = this.#point(cell);
    return [x + this.#offset, y + this.#offset];
  }

  /** The free cell whose square the point lies in (the nearest one, for a point inside a wall). */
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
   * A shortest path through free cells, up, down, left and right, both ends included.
   *
   * @throws {RangeError} No path joins the two cells.
   */
  shortestPath(from: Cell, to: Cell): Cell[] {
    const key = (cell: Cell) => cell.row * this.columns + cell.column;
    // Breadth first from the end, so that following the steps back gives the path from its start.
    const next = new Map<number, Cell>([[key(to), to]]);
    for (const queue = [to]; queue.length > 0;) {
      const { row, column } = queue.shift()!;
      const neighbours = [
        { row: row - 1, column },
        { row: row + 1, column },
        { row, column: column - 1 },
        { row, column: column + 1 },
      ];
      for (const neighbour of neighbours) {
        if (this.isWall(neighbour) || next.has(key(neighbour))) continue;
        next.set(key(neighbour), { row, column });
        queue.push(neighbour);
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

/** In maze2d x runs down the rows and y along the columns, one cell one unit. */
function maze2d(size: string, grid: readonly string[]): Maze {
  return new Maze(`maze2d-${size}`, grid, 1, ({ row, column }) => [row, column], -0.2);
}

/** In antmaze x runs along the columns and y down the rows, four units a cell, from the start cell. */
function antmaze(size: string, grid: readonly string[]): Maze {
  const start = cellOf(grid, "S");
  const point = ({ row, column }: Cell): Point => [
    (column - start.column) * 4,
    (row - start.row) * 4,
  ];
  return new Maze(`antmaze-${size}`, grid, 4, point, 0);
}

/** Every maze by its name: `maze2d-` open, umaze, medium, large, `antmaze-` umaze, medium, large. */
export const mazes: ReadonlyMap<string, Maze> = new Map(
  [
    ...Object.entries(MAZE2D).map(([size, grid]) => maze2d(size, grid)),
    ...Object.entries(ANTMAZE).map(([size, grid]) => antmaze(size, grid)),
  ].map((maze) => [maze.name, maze]),
);
