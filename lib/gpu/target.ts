/**
 * The target that kernels are rendered for: choices that depend on the adapter, not on the
 * mathematics. These are the tiles of the matrix products.
 *
 * @module
 */

/**
 * How the invocations of a matrix product share what they load: not at all, by broadcasts between
 * the lanes of a subgroup, or through workgroup memory.
 */
export const sharings = ["none", "lanes", "workgroup"] as const;

/** The tile of a matrix product: how its work is divided, in `shaders/matmul.wgsl`. */
export interface Tile {
  /** How loaded values are shared. */
  readonly sharing: typeof sharings[number];
  /** Rows of outputs per invocation, a multiple of 4. */
  readonly rows: number;
  /** Columns of outputs per invocation, a multiple of 4. */
  readonly columns: number;
  /** Invocations of a workgroup along the columns. */
  readonly across: number;
  /** Invocations of a workgroup along the rows. */
  readonly down: number;
  /** Depth that a step advances, a multiple of 4. */
  readonly depth: number;
}

/**
 * The name of a tile: sharing, rows × columns per invocation, invocations across × down, and depth
 * per step. For example `lanes-32x4-8x1-4`.
 */
export type TileName = string;

/** Returns the tile with a name; null if it is not the name of a tile that the kernel can have. */
export function tileOf(name: TileName): Tile | null {
  const match = /^(none|lanes|workgroup)-(\d+)x(\d+)-(\d+)x(\d+)-(\d+)$/.exec(name);
  if (!match) return null;
  const [rows, columns, across, down, depth] = match.slice(2).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const sharing = match[1] as Tile["sharing"];
  const invocations = across * down;
  if ([rows, columns, depth].some((n) => n < 4 || n % 4 !== 0) || invocations < 1) return null;
  const blocks = (rowsOrColumns: number) => rowsOrColumns * depth / 16;
  const divided = {
    none: true,
    // One factor is shared, so all invocations must need the same blocks of it.
    lanes: (down === 1 && blocks(rows) % invocations === 0) ||
      (across === 1 && blocks(columns) % invocations === 0),
    // Every invocation loads the same number of vec4s of either factor.
    workgroup: (rows * down * depth / 4) % invocations === 0 &&
      (columns * across * depth / 4) % invocations === 0,
  };
  return divided[sharing] ? { sharing, rows, columns, across, down, depth } : null;
}

/** The forms of a matrix product: y = x Wᵀ, dx = dy W and dW = dyᵀ x of a linear layer. */
export const forms = ["NT", "NN", "TN"] as const;

/** A form of the matrix product. */
export type Form = typeof forms[number];

/** Classes of linear layers that have different best tiles. */
export const shapeClasses = ["large", "medium", "thin inputs", "thin outputs"] as const;

/** A class of linear layers. */
export type ShapeClass = typeof shapeClasses[number];

/** Returns the class of a layer with `inputs` and `outputs` units on `rows` rows. */
export function shapeClassOf(rows: number, inputs: number, outputs: number): ShapeClass {
  if (outputs <= 4) return "thin outputs";
  if (inputs <= 32) return "thin inputs";
  return rows * inputs * outputs >= 2 ** 28 ? "large" : "medium";
}

/** The tile of each form and class. */
export type Tiles = Readonly<Record<Form, Readonly<Record<ShapeClass, TileName>>>>;

/** Ways to share loaded values, by the names of `--matmul`. Each is a set of tiles. */
export const matmulVariants = ["subgroups", "registers", "tiled"] as const;

/** A matrix product variant. */
export type MatmulVariant = typeof matmulVariants[number];

/**
 * The matrix products of a run, recorded in its configuration because they affect the last bits.
 */
export interface Target {
  /** The variant that all tiles belong to, or `mixed`. */
  readonly matmul: MatmulVariant | "mixed";
  /** The tiles. */
  readonly tiles: Tiles;
}

const tiled = tilesOf({ layers: "workgroup-4x4-8x8-16", thin: "workgroup-4x4-4x8-16" });

/** The tiles of each variant. */
const variantTiles: Readonly<Record<MatmulVariant, Tiles>> = {
  registers: tilesOf({ layers: "none-16x4-8x1-4", thin: "none-4x4-1x8-4" }),
  subgroups: tilesOf({
    layers: "lanes-32x4-8x1-4",
    thin: "lanes-4x4-1x8-32",
    NN: "lanes-4x16-1x8-8",
    TN: "lanes-16x4-8x1-8",
  }),
  tiled: { ...tiled, TN: { ...tiled.TN, large: "workgroup-8x4-16x8-8" } },
};

/** A tile for dispatches with many results. */
export interface LargerTile {
  /** The number of results from which on it is used. */
  readonly from: number;
  /** The tile. */
  readonly tile: TileName;
}

/**
 * Returns larger tiles for dispatches with many results, in ascending order. With few results,
 * small tiles occupy more of a graphics card. All these tiles sum along the depth in the same
 * order, so the bits of NT and NN do not depend on the tile, and the tile may depend on the number
 * of seeds. The bits of TN's bias gradients do depend on it.
 */
export function largerTilesOf(name: TileName, form: Form): readonly LargerTile[] {
  return name === tiled.NT.medium && form !== "TN" ? largerTiles : [];
}

// The fastest of the tiles measured in the behavior step on an NVIDIA H200 (docs/performance.md).
const largerTiles: readonly LargerTile[] = [
  { from: 2 ** 20, tile: "workgroup-8x4-16x8-8" },
  { from: 2.5 * 2 ** 20, tile: "workgroup-8x8-16x8-8" },
];

/**
 * Returns a variant's tiles. `layers` is the tile of most layers, and `thin` that of thin outputs,
 * except for dy W, whose result is not thin. `NN` and `TN` are the tiles of the gradients of thin
 * inputs.
 */
function tilesOf(
  { layers, thin, NN = layers, TN = layers }: {
    readonly layers: TileName;
    readonly thin: TileName;
    readonly NN?: TileName;
    readonly TN?: TileName;
  },
): Tiles {
  const of = (thinInputs: TileName, thinOutputs: TileName) => ({
    large: layers,
    medium: layers,
    "thin inputs": thinInputs,
    "thin outputs": thinOutputs,
  });
  return { NT: of(layers, thin), NN: of(NN, layers), TN: of(TN, thin) };
}

/** Returns the target whose tiles are those of one variant. */
export function targetOf(variant: MatmulVariant): Target {
  return { matmul: variant, tiles: variantTiles[variant] };
}

/** The matrix products that every adapter supports. */
export const portableTarget: Target = targetOf("registers");

/** Returns the target whose tile of each form and class is that of a variant. */
export function mixedTarget(variantOf: (form: Form, shape: ShapeClass) => MatmulVariant): Target {
  const variants = new Set<MatmulVariant>();
  const tilesOf = (form: Form) =>
    Object.fromEntries(shapeClasses.map((shape) => {
      const variant = variantOf(form, shape);
      variants.add(variant);
      return [shape, variantTiles[variant][form][shape]];
    })) as Record<ShapeClass, TileName>;
  const tiles = { NT: tilesOf("NT"), NN: tilesOf("NN"), TN: tilesOf("TN") };
  return { matmul: variants.size === 1 ? [...variants][0]! : "mixed", tiles };
}

/** Returns the tiles in JSON of a run's configuration; null if they are not valid. */
export function parseTiles(json: unknown): Tiles | null {
  const tiles = json as Partial<Record<Form, Partial<Record<ShapeClass, unknown>>>> | null;
  const valid = forms.every((form) =>
    shapeClasses.every((shape) => {
      const name = tiles?.[form]?.[shape];
      return typeof name === "string" && tileOf(name) !== null;
    })
  );
  return valid ? tiles as Tiles : null;
}
