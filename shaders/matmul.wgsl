// Matrix product, batched over the jobs of a dispatch.
//
//   NT:  out = epilogue(A Bᵀ + bias)   A [rows, depth], B [columns, depth]
//        Linear layer.
//   NN:  out = epilogue(Σ A B)         A [rows, depth], B [depth, columns]
//        Input gradient of a linear layer, summed over the networks that share the input.
//   TN:  outᵀ = Aᵀ B                   A [depth, rows], B [depth, columns]
//        Weight gradient of a linear layer, and the column sums of B: its bias gradient.
//
// The tile is given by constants. An invocation computes ROWS by COLUMNS outputs, a workgroup has
// ACROSS by DOWN invocations, and each step advances the depth by DEPTH. Everything is loaded in
// blocks of four by four: a block of A holds four rows, each a vec4 along the depth, and a block of
// B holds four steps of the depth, each a vec4 along the columns. Rows, columns and depth are
// counted in blocks.
//
// Invocations share what they load in one of these ways:
//   SHARE_A, SHARE_B  The invocations of a subgroup need the same blocks of one factor. Each loads
//                     some of them and broadcasts them to the others.
//   WORKGROUP         They load different blocks of both factors into workgroup memory. It has two
//                     buffers: the next step is loaded while the current one is multiplied.
//   otherwise         Each loads all blocks that it needs.
//
// No address lies outside a matrix. Rows and columns past the edge repeat the last one and are not
// stored. Past the depth, A repeats its last step and B is zero.

const ROWS = 32u;
const COLUMNS = 4u;
const ACROSS = 8u;
const DOWN = 1u;
const DEPTH = 4u;

const INVOCATIONS = ACROSS * DOWN;
const BLOCK_ROWS = ROWS / 4u;
const BLOCK_COLUMNS = COLUMNS / 4u;
const STEPS = DEPTH / 4u;
const RESULTS = ROWS * BLOCK_COLUMNS; // vec4s that an invocation stores
const BLOCKS_A = BLOCK_ROWS * STEPS; // blocks that it multiplies in a step
const BLOCKS_B = BLOCK_COLUMNS * STEPS;

//#if WORKGROUP
const LEFT = BLOCK_ROWS * DOWN; // blocks of the workgroup's tile, for four steps of the depth
const RIGHT = BLOCK_COLUMNS * ACROSS;
const BLOCKS = (LEFT + RIGHT) * STEPS; // of the tile in a step, of which an invocation loads LOADED
const LOADED = (BLOCKS + INVOCATIONS - 1u) / INVOCATIONS;

var<workgroup> left: array<vec4f, 2u * STEPS * LEFT * 4u>; // [buffer, step, row]
var<workgroup> right: array<vec4f, 2u * STEPS * 4u * RIGHT>; // [buffer, step, column]
//#endif

// Returns a block of A. `matrix` is the place of its first entry.
fn block_of_a(job: Job, matrix: u32, row: u32, k: u32) -> mat4x4f {
//#if TN
  let last = job.depth - 1u;
  let place = matrix + min(row, (job.rows - 1u) / 4u);
  return transpose(mat4x4f(
    activations[place + min(4u * k, last) * job.a_stride],
    activations[place + min(4u * k + 1u, last) * job.a_stride],
    activations[place + min(4u * k + 2u, last) * job.a_stride],
    activations[place + min(4u * k + 3u, last) * job.a_stride],
  ));
//#else
  let last = job.rows - 1u;
  let place = matrix + min(k, (job.depth - 1u) / 4u);
  return mat4x4f(
    activations[place + min(4u * row, last) * job.a_stride],
    activations[place + min(4u * row + 1u, last) * job.a_stride],
    activations[place + min(4u * row + 2u, last) * job.a_stride],
    activations[place + min(4u * row + 3u, last) * job.a_stride],
  );
//#endif
}

// Returns a block of B.
fn block_of_b(job: Job, matrix: u32, column: u32, k: u32) -> mat4x4f {
//#if NT
  let last = job.columns - 1u;
  let place = matrix + min(k, (job.depth - 1u) / 4u);
  let block = transpose(mat4x4f(
    parameters[place + min(4u * column, last) * job.b_stride],
    parameters[place + min(4u * column + 1u, last) * job.b_stride],
    parameters[place + min(4u * column + 2u, last) * job.b_stride],
    parameters[place + min(4u * column + 3u, last) * job.b_stride],
  ));
//#else
  let last = job.depth - 1u;
  let place = matrix + min(column, (job.columns - 1u) / 4u);
//#if NN
  let block = mat4x4f(
    parameters[place + min(4u * k, last) * job.b_stride],
    parameters[place + min(4u * k + 1u, last) * job.b_stride],
    parameters[place + min(4u * k + 2u, last) * job.b_stride],
    parameters[place + min(4u * k + 3u, last) * job.b_stride],
  );
//#else
  let block = mat4x4f(
    activations[place + min(4u * k, last) * job.b_stride],
    activations[place + min(4u * k + 1u, last) * job.b_stride],
    activations[place + min(4u * k + 2u, last) * job.b_stride],
    activations[place + min(4u * k + 3u, last) * job.b_stride],
  );
//#endif
//#endif
  let steps = max(job.depth, 4u * k) - 4u * k; // of the block, up to the depth
  let zero = vec4f(0.0);
  return mat4x4f(
    select(zero, block[0], steps > 0u),
    select(zero, block[1], steps > 1u),
    select(zero, block[2], steps > 2u),
    select(zero, block[3], steps > 3u),
  );
}

//#if WORKGROUP
// Returns the row and the step of block `n` of the A blocks that a workgroup loads in a step.
// Neighbouring invocations load neighbouring memory.
fn place_in_left(n: u32) -> vec2u {
//#if TN
  return vec2u(n % LEFT, n / LEFT);
//#else
  return vec2u(n / STEPS, n % STEPS);
//#endif
}

// Returns the column and the step of block `n` of its B blocks.
fn place_in_right(n: u32) -> vec2u {
//#if NT
  return vec2u(n / STEPS, n % STEPS);
//#else
  return vec2u(n % RIGHT, n / RIGHT);
//#endif
}

// Returns block `n` of a workgroup's tile in the step at depth `k`: first the blocks of A, then
// those of B.
fn block_of_tile(
  job: Job,
  matrix_a: u32,
  matrix_b: u32,
  tile_row: u32,
  tile_column: u32,
  n: u32,
  k: u32,
) -> mat4x4f {
  if (n < LEFT * STEPS) {
    let place = place_in_left(n);
    return block_of_a(job, matrix_a, tile_row * LEFT + place.x, k + place.y);
  }
  if (n >= BLOCKS) {
    return mat4x4f();
  }
  let place = place_in_right(n - LEFT * STEPS);
  return block_of_b(job, matrix_b, tile_column * RIGHT + place.x, k + place.y);
}

// Stores block `n` of a workgroup's tile in one of the buffers.
fn keep(block: mat4x4f, n: u32, buffer: u32) {
  if (n < LEFT * STEPS) {
    let place = place_in_left(n);
    let first = 4u * ((buffer * STEPS + place.y) * LEFT + place.x);
    for (var i = 0u; i < 4u; i++) {
      left[first + i] = block[i];
    }
  } else if (n < BLOCKS) {
    let place = place_in_right(n - LEFT * STEPS);
    let first = 4u * (buffer * STEPS + place.y) * RIGHT + place.x;
    for (var i = 0u; i < 4u; i++) {
      right[first + i * RIGHT] = block[i];
    }
  }
}
//#endif

// Four products are summed before they are added to a total, which keeps the rounding error of
// long sums small.
fn combine(a: vec4f, b: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), b[3], fma(vec4f(a.z), b[2], fma(vec4f(a.y), b[1], a.x * b[0])));
}

fn multiply(a: mat4x4f, b: mat4x4f) -> mat4x4f {
  return mat4x4f(combine(a[0], b), combine(a[1], b), combine(a[2], b), combine(a[3], b));
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
//#if SHARE_A || SHARE_B
  @builtin(subgroup_invocation_id) sublane: u32,
//#endif
) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let inner = work.y % job.inner_tiles;
  let outer = work.y / job.inner_tiles;
  let tile_row = select(outer, inner, job.down_first == 1u);
  let tile_column = select(inner, outer, job.down_first == 1u);
  // The invocation's blocks lie DOWN rows and ACROSS columns apart.
  let row = tile_row * DOWN * BLOCK_ROWS + lane / ACROSS;
  let column = tile_column * ACROSS * BLOCK_COLUMNS + lane % ACROSS;
  let last_row = (job.rows - 1u) / 4u;
  let last_column = (job.columns - 1u) / 4u;
  let depth = (job.depth + 3u) / 4u;

  var total: array<mat4x4f, BLOCK_ROWS * BLOCK_COLUMNS>; // [BLOCK_COLUMNS, BLOCK_ROWS]
//#if NT
//#unroll
  for (var c = 0u; c < BLOCK_COLUMNS; c++) {
    let bias = parameters[job.bias + min(column + c * ACROSS, last_column)];
//#unroll
    for (var r = 0u; r < BLOCK_ROWS; r++) {
      total[c * BLOCK_ROWS + r] = mat4x4f(bias, bias, bias, bias);
    }
  }
//#elif TN
  var sums: array<vec4f, BLOCK_COLUMNS>;
//#endif

//#if WORKGROUP
  var buffer = 0u;
//#endif
  for (var member = 0u; member < job.members; member++) {
    let matrix_a = job.a + member * job.a_member;
    let matrix_b = job.b + member * job.b_member;
//#if WORKGROUP
    var next: array<mat4x4f, LOADED>;
//#unroll
    for (var n = 0u; n < LOADED; n++) {
      next[n] = block_of_tile(job, matrix_a, matrix_b, tile_row, tile_column, n * INVOCATIONS + lane, 0u);
    }
//#endif
    for (var k = 0u; k < depth; k += STEPS) {
      var a: array<mat4x4f, BLOCKS_A>; // [STEPS, BLOCK_ROWS]
      var b: array<mat4x4f, BLOCKS_B>; // [STEPS, BLOCK_COLUMNS]
//#if WORKGROUP
//#unroll
      for (var n = 0u; n < LOADED; n++) {
        keep(next[n], n * INVOCATIONS + lane, buffer);
      }
      workgroupBarrier();
//#unroll
      for (var n = 0u; n < LOADED; n++) {
        next[n] = block_of_tile(job, matrix_a, matrix_b, tile_row, tile_column, n * INVOCATIONS + lane, k + STEPS);
      }
//#unroll
      for (var n = 0u; n < BLOCKS_A; n++) {
        let place = 4u * ((buffer * STEPS + n / BLOCK_ROWS) * LEFT + lane / ACROSS + n % BLOCK_ROWS * DOWN);
        a[n] = mat4x4f(left[place], left[place + 1u], left[place + 2u], left[place + 3u]);
      }
//#unroll
      for (var n = 0u; n < BLOCKS_B; n++) {
        let place = (buffer * STEPS + n / BLOCK_COLUMNS) * 4u * RIGHT + lane % ACROSS + n % BLOCK_COLUMNS * ACROSS;
        b[n] = mat4x4f(right[place], right[place + RIGHT], right[place + 2u * RIGHT], right[place + 3u * RIGHT]);
      }
      buffer = 1u - buffer;
//#else
//#if SHARE_A
//#unroll
      for (var n = 0u; n < BLOCKS_A / INVOCATIONS; n++) {
        let mine = n * INVOCATIONS + sublane % INVOCATIONS;
        let block = block_of_a(job, matrix_a, row + mine % BLOCK_ROWS, k + mine / BLOCK_ROWS);
//#unroll
        for (var s = 0u; s < INVOCATIONS; s++) {
          a[n * INVOCATIONS + s] = mat4x4f(
            subgroupBroadcast(block[0], s),
            subgroupBroadcast(block[1], s),
            subgroupBroadcast(block[2], s),
            subgroupBroadcast(block[3], s),
          );
        }
      }
//#else
//#unroll
      for (var n = 0u; n < BLOCKS_A; n++) {
        a[n] = block_of_a(job, matrix_a, row + n % BLOCK_ROWS * DOWN, k + n / BLOCK_ROWS);
      }
//#endif
//#if SHARE_B
//#unroll
      for (var n = 0u; n < BLOCKS_B / INVOCATIONS; n++) {
        let mine = n * INVOCATIONS + sublane % INVOCATIONS;
        let block = block_of_b(job, matrix_b, column + mine % BLOCK_COLUMNS, k + mine / BLOCK_COLUMNS);
//#unroll
        for (var s = 0u; s < INVOCATIONS; s++) {
          b[n * INVOCATIONS + s] = mat4x4f(
            subgroupBroadcast(block[0], s),
            subgroupBroadcast(block[1], s),
            subgroupBroadcast(block[2], s),
            subgroupBroadcast(block[3], s),
          );
        }
      }
//#else
//#unroll
      for (var n = 0u; n < BLOCKS_B; n++) {
        b[n] = block_of_b(job, matrix_b, column + n % BLOCK_COLUMNS * ACROSS, k + n / BLOCK_COLUMNS);
      }
//#endif
//#endif

//#if TN
//#unroll
      for (var n = 0u; n < BLOCKS_B; n++) {
        sums[n % BLOCK_COLUMNS] += (b[n][0] + b[n][1]) + (b[n][2] + b[n][3]);
      }
//#endif
//#unroll
      for (var c = 0u; c < BLOCK_COLUMNS; c++) {
//#unroll
        for (var r = 0u; r < BLOCK_ROWS; r++) {
          var product = multiply(a[r], b[c]);
//#unroll
          for (var s = 1u; s < STEPS; s++) {
            product += multiply(a[s * BLOCK_ROWS + r], b[s * BLOCK_COLUMNS + c]);
          }
          total[c * BLOCK_ROWS + r] += product;
        }
      }
    }
  }

//#if TN
  if (row == 0u) {
//#unroll
    for (var c = 0u; c < BLOCK_COLUMNS; c++) {
      if (column + c * ACROSS <= last_column) {
        store_gradient(job, job.sums + column + c * ACROSS, sums[c]);
      }
    }
  }
//#endif
  var results: array<vec4f, RESULTS>; // [BLOCK_COLUMNS, BLOCK_ROWS, 4]
//#unroll
  for (var n = 0u; n < BLOCK_ROWS * BLOCK_COLUMNS; n++) {
//#if TN
    let block = transpose(total[n]);
//#else
    let block = total[n];
//#endif
//#unroll
    for (var i = 0u; i < 4u; i++) {
      results[4u * n + i] = block[i];
    }
  }
//#if WORKGROUP
  for (var n = 0u; n < RESULTS; n++) {
//#else
  // The compiler does not know the length of this loop. If the loop is unrolled, the loads and
  // stores of the epilogue slow down the product on Mesa's software driver.
  for (var n = 0u; n < select(0u, RESULTS, column <= last_column); n++) {
//#endif
    let block_row = row + n / 4u % BLOCK_ROWS * DOWN;
    let block_column = column + n / ROWS * ACROSS;
//#if TN
    let entry = 4u * block_column + n % 4u;
    if (block_row <= last_row && entry < job.columns) {
      store_gradient(job, job.out + entry * job.out_stride + block_row, results[n]);
    }
//#else
    let entry = 4u * block_row + n % 4u;
    if (entry < job.rows && block_column <= last_column) {
      store(job, entry, block_column, results[n]);
    }
//#endif
  }
}
