// Matrix product, batched over the jobs of a dispatch.
//
//   NT:  out = epilogue(A Bᵀ + bias)   A [rows, depth], B [columns, depth]
//        Linear layer.
//   NN:  out = epilogue(Σ A B)         A [rows, depth], B [depth, columns]
//        Input gradient of a linear layer, summed over the networks that share the input.
//   TN:  out = Aᵀ B                    A [depth, rows], B [depth, columns]
//        Weight gradient of a linear layer, and the column sums of one factor: its bias gradient.
//
// Each invocation keeps a tile of outputs in registers: four columns, in matrices of four rows
// each. The invocations of a workgroup compute the same rows of adjacent columns. With SUBGROUPS, a
// tile has 32 rows, and eight lanes load different rows of A and exchange them, so each lane does
// one load instead of eight. Rows of all operands are padded with zeros to whole vec4s.

override LANES = 16u;

//#if SUBGROUPS
const TILE_ROWS = 32u;
//#else
const TILE_ROWS = 16u;
//#endif

// total + right * left. Column i of a matrix holds the four columns of output row i. Four products
// are summed before they are added to the total, which halves the rounding error of long sums.
fn accumulate(total: mat4x4f, left: mat4x4f, right: mat4x4f) -> mat4x4f {
  return mat4x4f(
    total[0] + combine(left[0], right),
    total[1] + combine(left[1], right),
    total[2] + combine(left[2], right),
    total[3] + combine(left[3], right),
  );
}

//#if NN || TN
// Returns the first `steps` of four steps of the depth, and zeros for the others. Memory beyond the
// last step belongs to other tensors and may hold infinities, which times zero would be NaN.
fn first_steps(block: mat4x4f, steps: u32) -> mat4x4f {
  let zero = vec4f(0.0);
  return mat4x4f(
    block[0],
    select(zero, block[1], steps > 1u),
    select(zero, block[2], steps > 2u),
    select(zero, block[3], steps > 3u),
  );
}
//#endif

fn combine(left: vec4f, right: mat4x4f) -> vec4f {
  return fma(vec4f(left.w), right[3], fma(vec4f(left.z), right[2],
    fma(vec4f(left.y), right[1], left.x * right[0])));
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
//#if SUBGROUPS
  @builtin(subgroup_invocation_id) sublane: u32,
//#endif
) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
//#if TN
  // There are at least as many columns as rows. Tiles advance down the rows first, so the larger
  // factor is read from main memory once.
  let row = (work.y % job.inner_tiles) * TILE_ROWS;
  let column = (work.y / job.inner_tiles) * LANES + lane; // in vec4s
  let depth = (job.depth + 3u) / 4u;
//#else
  let row = (work.y / job.inner_tiles) * TILE_ROWS;
  let column = (work.y % job.inner_tiles) * LANES + lane; // in vec4s
  let depth = job.depth;
//#endif
  let last_row = job.rows - 1u;
  let last_column = (job.columns - 1u) / 4u;

//#if TN
//#if SUBGROUPS
  let row_inside = row / 4u + (sublane & 7u) <= last_row / 4u;
  var p = job.a + row / 4u + (sublane & 7u);
//#else
  var p0 = job.a + min(row / 4u, last_row / 4u);
  var p1 = job.a + min(row / 4u + 1u, last_row / 4u);
  var p2 = job.a + min(row / 4u + 2u, last_row / 4u);
  var p3 = job.a + min(row / 4u + 3u, last_row / 4u);
//#endif
//#else
//#if SUBGROUPS
  let first = row + (sublane & 7u);
  let p0 = job.a + first * job.a_stride;
  let p1 = job.a + (first + 8u) * job.a_stride;
  let p2 = job.a + (first + 16u) * job.a_stride;
  let p3 = job.a + (first + 24u) * job.a_stride;
//#else
  let p0 = job.a + min(row, last_row) * job.a_stride;
  let p1 = job.a + min(row + 1u, last_row) * job.a_stride;
  let p2 = job.a + min(row + 2u, last_row) * job.a_stride;
  let p3 = job.a + min(row + 3u, last_row) * job.a_stride;
  let p4 = job.a + min(row + 4u, last_row) * job.a_stride;
  let p5 = job.a + min(row + 5u, last_row) * job.a_stride;
  let p6 = job.a + min(row + 6u, last_row) * job.a_stride;
  let p7 = job.a + min(row + 7u, last_row) * job.a_stride;
  let p8 = job.a + min(row + 8u, last_row) * job.a_stride;
  let p9 = job.a + min(row + 9u, last_row) * job.a_stride;
  let p10 = job.a + min(row + 10u, last_row) * job.a_stride;
  let p11 = job.a + min(row + 11u, last_row) * job.a_stride;
  let p12 = job.a + min(row + 12u, last_row) * job.a_stride;
  let p13 = job.a + min(row + 13u, last_row) * job.a_stride;
  let p14 = job.a + min(row + 14u, last_row) * job.a_stride;
  let p15 = job.a + min(row + 15u, last_row) * job.a_stride;
//#endif
//#endif

//#if NT
  let last = job.columns - 1u;
  let q0 = job.b + min(column * 4u, last) * job.b_stride;
  let q1 = job.b + min(column * 4u + 1u, last) * job.b_stride;
  let q2 = job.b + min(column * 4u + 2u, last) * job.b_stride;
  let q3 = job.b + min(column * 4u + 3u, last) * job.b_stride;
  let bias = parameters[job.bias + min(column, last_column)];
//#else
  var q = job.b + column;
  let bias = vec4f(0.0);
//#endif
  var t0 = mat4x4f(bias, bias, bias, bias);
  var t1 = t0; var t2 = t0; var t3 = t0;
//#if SUBGROUPS
  var t4 = t0; var t5 = t0; var t6 = t0; var t7 = t0;
//#endif

//#if TN
//#if SUBGROUPS
  var row_sums = vec4f(0.0);
//#else
  var row_sums = array<vec4f, 4>();
//#endif
  var column_sums = vec4f(0.0);
//#endif

//#if NN
  // Encloses the loop over the depth, which all forms share; therefore not indented.
  for (var member = 0u; member < job.members; member++) {
  q = job.b + member * job.b_member + column;
//#endif
  for (var k = 0u; k < depth; k++) {
//#if NN
    let along = member * job.a_member + k;
//#elif NT
    let along = k;
//#endif
    // Columns outside the matrix are not loaded, because the load would cost as much as any other.
    var b = mat4x4f();
//#if NT
    if (column <= last_column) {
      b = transpose(mat4x4f(parameters[q0 + k], parameters[q1 + k], parameters[q2 + k], parameters[q3 + k]));
    }
//#elif NN
    if (column <= last_column) {
      b = mat4x4f(parameters[q], parameters[q + job.b_stride], parameters[q + 2u * job.b_stride], parameters[q + 3u * job.b_stride]);
    }
    q += 4u * job.b_stride;
//#else
    if (column <= last_column) {
      b = mat4x4f(activations[q], activations[q + job.b_stride], activations[q + 2u * job.b_stride], activations[q + 3u * job.b_stride]);
    }
    q += 4u * job.b_stride;
//#endif

//#if NN
    if (job.steps - 4u * k < 4u) {
      b = first_steps(b, job.steps - 4u * k);
    }
//#endif
//#if TN
    let left = job.depth - 4u * k;
    if (left < 4u) {
      b = first_steps(b, left);
    }
    column_sums += b * vec4f(1.0);
//#if SUBGROUPS
    var x0 = vec4f(0.0); var x1 = vec4f(0.0); var x2 = vec4f(0.0); var x3 = vec4f(0.0);
    if (row_inside) {
      x0 = activations[p];
      x1 = activations[p + job.a_stride];
      x2 = activations[p + 2u * job.a_stride];
      x3 = activations[p + 3u * job.a_stride];
      if (left < 4u) {
        let block = first_steps(mat4x4f(x0, x1, x2, x3), left);
        x1 = block[1];
        x2 = block[2];
        x3 = block[3];
      }
    }
    p += 4u * job.a_stride;
    row_sums += x0 + x1 + x2 + x3;
    let a0 = transpose(mat4x4f(subgroupBroadcast(x0, 0u), subgroupBroadcast(x1, 0u), subgroupBroadcast(x2, 0u), subgroupBroadcast(x3, 0u)));
    let a1 = transpose(mat4x4f(subgroupBroadcast(x0, 1u), subgroupBroadcast(x1, 1u), subgroupBroadcast(x2, 1u), subgroupBroadcast(x3, 1u)));
    let a2 = transpose(mat4x4f(subgroupBroadcast(x0, 2u), subgroupBroadcast(x1, 2u), subgroupBroadcast(x2, 2u), subgroupBroadcast(x3, 2u)));
    let a3 = transpose(mat4x4f(subgroupBroadcast(x0, 3u), subgroupBroadcast(x1, 3u), subgroupBroadcast(x2, 3u), subgroupBroadcast(x3, 3u)));
    let a4 = transpose(mat4x4f(subgroupBroadcast(x0, 4u), subgroupBroadcast(x1, 4u), subgroupBroadcast(x2, 4u), subgroupBroadcast(x3, 4u)));
    let a5 = transpose(mat4x4f(subgroupBroadcast(x0, 5u), subgroupBroadcast(x1, 5u), subgroupBroadcast(x2, 5u), subgroupBroadcast(x3, 5u)));
    let a6 = transpose(mat4x4f(subgroupBroadcast(x0, 6u), subgroupBroadcast(x1, 6u), subgroupBroadcast(x2, 6u), subgroupBroadcast(x3, 6u)));
    let a7 = transpose(mat4x4f(subgroupBroadcast(x0, 7u), subgroupBroadcast(x1, 7u), subgroupBroadcast(x2, 7u), subgroupBroadcast(x3, 7u)));
//#else
    var x0 = mat4x4f(activations[p0], activations[p0 + job.a_stride], activations[p0 + 2u * job.a_stride], activations[p0 + 3u * job.a_stride]);
    p0 += 4u * job.a_stride;
    var x1 = mat4x4f(activations[p1], activations[p1 + job.a_stride], activations[p1 + 2u * job.a_stride], activations[p1 + 3u * job.a_stride]);
    p1 += 4u * job.a_stride;
    var x2 = mat4x4f(activations[p2], activations[p2 + job.a_stride], activations[p2 + 2u * job.a_stride], activations[p2 + 3u * job.a_stride]);
    p2 += 4u * job.a_stride;
    var x3 = mat4x4f(activations[p3], activations[p3 + job.a_stride], activations[p3 + 2u * job.a_stride], activations[p3 + 3u * job.a_stride]);
    p3 += 4u * job.a_stride;
    if (left < 4u) {
      x0 = first_steps(x0, left);
      x1 = first_steps(x1, left);
      x2 = first_steps(x2, left);
      x3 = first_steps(x3, left);
    }
    row_sums[0] += x0 * vec4f(1.0);
    row_sums[1] += x1 * vec4f(1.0);
    row_sums[2] += x2 * vec4f(1.0);
    row_sums[3] += x3 * vec4f(1.0);
    let a0 = transpose(x0);
    let a1 = transpose(x1);
    let a2 = transpose(x2);
    let a3 = transpose(x3);
//#endif
//#else
//#if SUBGROUPS
    var x0 = vec4f(0.0); var x1 = vec4f(0.0); var x2 = vec4f(0.0); var x3 = vec4f(0.0);
    if (first <= last_row) { x0 = activations[p0 + along]; }
    if (first + 8u <= last_row) { x1 = activations[p1 + along]; }
    if (first + 16u <= last_row) { x2 = activations[p2 + along]; }
    if (first + 24u <= last_row) { x3 = activations[p3 + along]; }
    let a0 = mat4x4f(subgroupBroadcast(x0, 0u), subgroupBroadcast(x0, 1u), subgroupBroadcast(x0, 2u), subgroupBroadcast(x0, 3u));
    let a1 = mat4x4f(subgroupBroadcast(x0, 4u), subgroupBroadcast(x0, 5u), subgroupBroadcast(x0, 6u), subgroupBroadcast(x0, 7u));
    let a2 = mat4x4f(subgroupBroadcast(x1, 0u), subgroupBroadcast(x1, 1u), subgroupBroadcast(x1, 2u), subgroupBroadcast(x1, 3u));
    let a3 = mat4x4f(subgroupBroadcast(x1, 4u), subgroupBroadcast(x1, 5u), subgroupBroadcast(x1, 6u), subgroupBroadcast(x1, 7u));
    let a4 = mat4x4f(subgroupBroadcast(x2, 0u), subgroupBroadcast(x2, 1u), subgroupBroadcast(x2, 2u), subgroupBroadcast(x2, 3u));
    let a5 = mat4x4f(subgroupBroadcast(x2, 4u), subgroupBroadcast(x2, 5u), subgroupBroadcast(x2, 6u), subgroupBroadcast(x2, 7u));
    let a6 = mat4x4f(subgroupBroadcast(x3, 0u), subgroupBroadcast(x3, 1u), subgroupBroadcast(x3, 2u), subgroupBroadcast(x3, 3u));
    let a7 = mat4x4f(subgroupBroadcast(x3, 4u), subgroupBroadcast(x3, 5u), subgroupBroadcast(x3, 6u), subgroupBroadcast(x3, 7u));
//#else
    let a0 = mat4x4f(activations[p0 + along], activations[p1 + along], activations[p2 + along], activations[p3 + along]);
    let a1 = mat4x4f(activations[p4 + along], activations[p5 + along], activations[p6 + along], activations[p7 + along]);
    let a2 = mat4x4f(activations[p8 + along], activations[p9 + along], activations[p10 + along], activations[p11 + along]);
    let a3 = mat4x4f(activations[p12 + along], activations[p13 + along], activations[p14 + along], activations[p15 + along]);
//#endif
//#endif

    t0 = accumulate(t0, a0, b);
    t1 = accumulate(t1, a1, b);
    t2 = accumulate(t2, a2, b);
    t3 = accumulate(t3, a3, b);
//#if SUBGROUPS
    t4 = accumulate(t4, a4, b);
    t5 = accumulate(t5, a5, b);
    t6 = accumulate(t6, a6, b);
    t7 = accumulate(t7, a7, b);
//#endif
  }
//#if NN
  }
//#endif

//#if TN
  // The first row or column of tiles stores the sums of the factor that is the upstream gradient.
  if (job.turned == 1u) {
    if (row == 0u && column <= last_column) {
      store_gradient(job, job.sums + column, column_sums);
    }
  } else if (work.y < job.inner_tiles) {
//#if SUBGROUPS
    if (lane < 8u && row / 4u + lane <= last_row / 4u) {
      store_gradient(job, job.sums + row / 4u + lane, row_sums);
    }
//#else
    for (var i = 0u; i < min(TILE_ROWS / 4u, last_row / 4u + 1u - row / 4u) && lane == 0u; i++) {
      store_gradient(job, job.sums + row / 4u + i, row_sums[i]);
    }
//#endif
  }
//#endif
  // The results are stored by one loop over an array, whose length the compiler does not know. If
  // the loop is unrolled, the loads and stores of the epilogue slow down the product on some
  // drivers.
  var tile = array<vec4f, TILE_ROWS>(
    t0[0], t0[1], t0[2], t0[3],
    t1[0], t1[1], t1[2], t1[3],
    t2[0], t2[1], t2[2], t2[3],
    t3[0], t3[1], t3[2], t3[3],
//#if SUBGROUPS
    t4[0], t4[1], t4[2], t4[3],
    t5[0], t5[1], t5[2], t5[3],
    t6[0], t6[1], t6[2], t6[3],
    t7[0], t7[1], t7[2], t7[3],
//#endif
  );
//#if TN
  if (job.turned == 1u) {
    // Transposes each block of four by four. Entry i of the array is then a vec4 along the rows.
    let u0 = transpose(t0); let u1 = transpose(t1); let u2 = transpose(t2); let u3 = transpose(t3);
//#if SUBGROUPS
    let u4 = transpose(t4); let u5 = transpose(t5); let u6 = transpose(t6); let u7 = transpose(t7);
    tile = array<vec4f, TILE_ROWS>(
      u0[0], u1[0], u2[0], u3[0], u4[0], u5[0], u6[0], u7[0],
      u0[1], u1[1], u2[1], u3[1], u4[1], u5[1], u6[1], u7[1],
      u0[2], u1[2], u2[2], u3[2], u4[2], u5[2], u6[2], u7[2],
      u0[3], u1[3], u2[3], u3[3], u4[3], u5[3], u6[3], u7[3],
    );
//#else
    tile = array<vec4f, TILE_ROWS>(
      u0[0], u1[0], u2[0], u3[0],
      u0[1], u1[1], u2[1], u3[1],
      u0[2], u1[2], u2[2], u3[2],
      u0[3], u1[3], u2[3], u3[3],
    );
//#endif
    let across = TILE_ROWS / 4u;
    for (var i = 0u; i < select(0u, TILE_ROWS, column <= last_column); i++) {
      let out_row = column * 4u + i / across;
      let out_column = row / 4u + i % across;
      if (out_row < job.columns && out_column <= last_row / 4u) {
        store_gradient(job, job.out + out_row * job.out_stride + out_column, tile[i]);
      }
    }
    return;
  }
//#endif
  for (var i = 0u; i < min(job.rows - row, TILE_ROWS); i++) {
    store(job, row + i, column, tile[i]);
  }
}
