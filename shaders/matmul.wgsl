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
// ACROSS by DOWN invocations, and each step advances the depth by DEPTH. Outputs are computed in
// blocks of four by four.
//
// Invocations share what they load in one of these ways:
//   SHARE_A, SHARE_B  The invocations of a subgroup need the same blocks of one factor. Each loads
//                     some of them and broadcasts them to the others (matmul_blocks.wgsl).
//   WORKGROUP         They load different parts of both factors into workgroup memory, which has
//                     two buffers: the next step is loaded while the current one is multiplied
//                     (matmul_workgroup.wgsl).
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
//#if !WORKGROUP
  let depth = (job.depth + 3u) / 4u;
//#endif

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
//#if WORKGROUP
  var sums: array<vec4f, LOADS_B>; // of what the invocation loads
//#else
  var sums: array<vec4f, BLOCK_COLUMNS>;
//#endif
//#endif

//#if WORKGROUP
  var buffer = 0u;
//#endif
  for (var member = 0u; member < job.members; member++) {
    let matrix_a = job.a + member * job.a_member;
    let matrix_b = job.b + member * job.b_member;
//#if WORKGROUP
    var next_a: array<vec4f, LOADS_A>;
    var next_b: array<vec4f, LOADS_B>;
//#unroll
    for (var n = 0u; n < LOADS_A; n++) {
      next_a[n] = load_a(job, matrix_a, tile_row, n * INVOCATIONS + lane, 0u);
    }
//#unroll
    for (var n = 0u; n < LOADS_B; n++) {
      next_b[n] = load_b(job, matrix_b, tile_column, n * INVOCATIONS + lane, 0u);
    }
    for (var k = 0u; k < job.depth; k += DEPTH) {
//#unroll
      for (var n = 0u; n < LOADS_A; n++) {
        keep_a(next_a[n], n * INVOCATIONS + lane, buffer);
      }
//#unroll
      for (var n = 0u; n < LOADS_B; n++) {
        let kept = keep_b(next_b[n], n * INVOCATIONS + lane, buffer, job.depth - k);
//#if TN
        sums[n] += kept;
//#endif
      }
      workgroupBarrier();
//#unroll
      for (var n = 0u; n < LOADS_A; n++) {
        next_a[n] = load_a(job, matrix_a, tile_row, n * INVOCATIONS + lane, k + DEPTH);
      }
//#unroll
      for (var n = 0u; n < LOADS_B; n++) {
        next_b[n] = load_b(job, matrix_b, tile_column, n * INVOCATIONS + lane, k + DEPTH);
      }
//#unroll
      for (var i = 0u; i < DEPTH; i++) {
        var b: array<vec4f, BLOCK_COLUMNS>;
//#unroll
        for (var c = 0u; c < BLOCK_COLUMNS; c++) {
          b[c] = right[buffer][i][lane % ACROSS + c * ACROSS];
        }
//#unroll
        for (var r = 0u; r < BLOCK_ROWS; r++) {
          let a = left[buffer][i][lane / ACROSS + r * DOWN];
//#unroll
          for (var c = 0u; c < BLOCK_COLUMNS; c++) {
//#unroll
            for (var e = 0u; e < 4u; e++) {
              total[c * BLOCK_ROWS + r][e] = fma(vec4f(a[e]), b[c], total[c * BLOCK_ROWS + r][e]);
            }
          }
        }
      }
      buffer = 1u - buffer;
    }
//#else
    for (var k = 0u; k < depth; k += STEPS) {
      var a: array<mat4x4f, BLOCKS_A>; // [STEPS, BLOCK_ROWS]
      var b: array<mat4x4f, BLOCKS_B>; // [STEPS, BLOCK_COLUMNS]
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
//#endif
  }

//#if TN
//#if WORKGROUP
  // Several invocations load a column.
  workgroupBarrier();
//#unroll
  for (var n = 0u; n < LOADS_B; n++) {
    let place = wide(n * INVOCATIONS + lane, RIGHT);
    right[0][place.y][place.x] = sums[n];
  }
  workgroupBarrier();
  for (var c = lane; tile_row == 0u && c < RIGHT; c += INVOCATIONS) {
    var sum = right[0][0][c];
    for (var i = 1u; i < DEPTH; i++) {
      sum += right[0][i][c];
    }
    if (tile_column * RIGHT + c <= last_column) {
      store_gradient(job, job.sums + tile_column * RIGHT + c, sum);
    }
  }
//#else
  if (row == 0u) {
//#unroll
    for (var c = 0u; c < BLOCK_COLUMNS; c++) {
      if (column + c * ACROSS <= last_column) {
        store_gradient(job, job.sums + column + c * ACROSS, sums[c]);
      }
    }
  }
//#endif
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
//#unroll
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
