// Loads of the matrix product through workgroup memory: the invocations of a workgroup load different
// parts of both factors. Follows matmul.wgsl. Depths are counted in single steps.

//#if WORKGROUP
const LEFT = BLOCK_ROWS * DOWN; // blocks of the workgroup's tile
const RIGHT = BLOCK_COLUMNS * ACROSS;
const LOADS_A = LEFT * DEPTH / INVOCATIONS; // vec4s that an invocation loads in a step
const LOADS_B = RIGHT * DEPTH / INVOCATIONS;

// A vec4 has four rows of A, or four columns of B, at one depth. With an index for each dimension,
// the places that an invocation reads in a step differ by constants. The extra vec4 puts the steps
// of a row into different banks.
var<workgroup> left: array<array<array<vec4f, LEFT + 1u>, DEPTH>, 2>; // [buffer][depth][rows]
var<workgroup> right: array<array<array<vec4f, RIGHT + 1u>, DEPTH>, 2>; // [buffer][depth][columns]

// Returns where vec4 `n` of a step lies if it extends along the rows or columns, of which a tile has
// `width` vec4s: the vec4 and its depth.
fn wide(n: u32, width: u32) -> vec2u {
  return vec2u(n % width, n / width);
}

// Returns where vec4 `n` of a step lies if it extends along the depth: the row or column, and the
// vec4.
fn deep(n: u32) -> vec2u {
  return vec2u(n / STEPS, n % STEPS);
}

// Loads vec4 `n` of the step at depth `k` of A.
fn load_a(job: Job, matrix: u32, tile_row: u32, n: u32, k: u32) -> vec4f {
//#if TN
  let place = wide(n, LEFT);
  let column = min(tile_row * LEFT + place.x, (job.rows - 1u) / 4u);
  return activations[matrix + min(k + place.y, job.depth - 1u) * job.a_stride + column];
//#else
  let place = deep(n);
  let row = min(4u * tile_row * LEFT + place.x, job.rows - 1u);
  return activations[matrix + row * job.a_stride + min(k / 4u + place.y, (job.depth - 1u) / 4u)];
//#endif
}

// Loads vec4 `n` of the step at depth `k` of B.
fn load_b(job: Job, matrix: u32, tile_column: u32, n: u32, k: u32) -> vec4f {
//#if NT
  let place = deep(n);
  let row = min(4u * tile_column * RIGHT + place.x, job.columns - 1u);
  return parameters[matrix + row * job.b_stride + min(k / 4u + place.y, (job.depth - 1u) / 4u)];
//#else
  let place = wide(n, RIGHT);
  let column = min(tile_column * RIGHT + place.x, (job.columns - 1u) / 4u);
  let vector = matrix + min(k + place.y, job.depth - 1u) * job.b_stride + column;
//#if NN
  return parameters[vector];
//#else
  return activations[vector];
//#endif
//#endif
}

// Stores vec4 `n` of a step of A in a buffer.
fn keep_a(value: vec4f, n: u32, buffer: u32) {
//#if TN
  let place = wide(n, LEFT);
  left[buffer][place.y][place.x] = value;
//#else
  let place = deep(n);
//#unroll
  for (var i = 0u; i < 4u; i++) {
    left[buffer][4u * place.y + i][place.x / 4u][place.x % 4u] = value[i];
  }
//#endif
}

// Stores vec4 `n` of a step of B in a buffer, and returns what it stored: zeros past the depth, of
// which `rest` steps are left.
fn keep_b(loaded: vec4f, n: u32, buffer: u32, rest: u32) -> vec4f {
//#if NT
  let place = deep(n);
  let value = select(vec4f(0.0), loaded, 4u * place.y < rest);
//#unroll
  for (var i = 0u; i < 4u; i++) {
    right[buffer][4u * place.y + i][place.x / 4u][place.x % 4u] = value[i];
  }
//#else
  let place = wide(n, RIGHT);
  let value = select(vec4f(0.0), loaded, place.y < rest);
  right[buffer][place.y][place.x] = value;
//#endif
  return value;
}
//#endif
