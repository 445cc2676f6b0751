// Matrix product, batched over the jobs of one dispatch.
//
//   NT:  out = epilogue(A Bᵀ + bias)   A [rows, depth], B [columns, depth]   a linear layer
//   NN:  out = epilogue(A B)           A [rows, depth], B [depth, columns]   its input gradient
//   TN:  out = Aᵀ B                    A [depth, rows], B [depth, columns]   its weight gradient, and
//        in the job's last tiles the column sums of one factor: its bias gradient
//
// Each invocation keeps a tile of outputs in registers, four rows by four columns to a matrix: with
// SUBGROUPS 16 by 8, otherwise 8 by 8. The invocations of a workgroup share their rows and lie side by
// side along the columns, so with SUBGROUPS eight lanes load different rows of A and exchange them:
// one load instead of eight. Rows of all operands are padded with zeros to whole vec4s.

override LANES = 16u;

//#if SUBGROUPS
const TILE_ROWS = 16u;
//#else
const TILE_ROWS = 8u;
//#endif

// total + right·left: column i of a matrix holds the four columns of output row i. Four products are
// summed before they meet the total, which halves the rounding error of long sums.
fn accumulate(total: mat4x4f, left: mat4x4f, right: mat4x4f) -> mat4x4f {
  return mat4x4f(
    total[0] + combine(left[0], right),
    total[1] + combine(left[1], right),
    total[2] + combine(left[2], right),
    total[3] + combine(left[3], right),
  );
}

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
//#if SUBGROUPS
  let row = (work.y / job.column_tiles) * 16u;
//#else
  let row = (work.y / job.column_tiles) * 8u;
//#endif
  let column = ((work.y % job.column_tiles) * LANES + lane) * 2u; // in vec4s
  let last_row = job.rows - 1u;
  let last_column = (job.columns - 1u) / 4u;

//#if TN
  // The last tiles sum columns, one vec4 of them to an invocation.
  let summing = work.y >= job.product_tiles;
  let depth = select((job.depth + 3u) / 4u, 0u, summing);
  let summed = (work.y - job.product_tiles) * LANES + lane;
  var column_sums = vec4f(0.0);
  var s = job.summand + min(summed, job.summand_width - 1u);
  for (var k = 0u; k < select(0u, job.depth, summing); k++) {
    column_sums += activations[s];
    s += job.summand_stride;
  }
  if (summing && summed < job.summand_width) {
    activations[job.sums + summed] = column_sums;
  }
//#else
  let depth = job.depth;
//#endif

//#if SUBGROUPS
//#if TN
  var p = job.a + ((sublane >> 2u) & 1u) * job.a_stride + min(row / 4u + (sublane & 3u), last_row / 4u);
//#else
  let p0 = job.a + min(row + (sublane & 7u), last_row) * job.a_stride;
  let p1 = job.a + min(row + 8u + (sublane & 7u), last_row) * job.a_stride;
//#endif
//#else
//#if TN
  var p0 = job.a + row / 4u;
  var p1 = job.a + min(row / 4u + 1u, last_row / 4u);
//#else
  let p0 = job.a + row * job.a_stride;
  let p1 = job.a + min(row + 1u, last_row) * job.a_stride;
  let p2 = job.a + min(row + 2u, last_row) * job.a_stride;
  let p3 = job.a + min(row + 3u, last_row) * job.a_stride;
  let p4 = job.a + min(row + 4u, last_row) * job.a_stride;
  let p5 = job.a + min(row + 5u, last_row) * job.a_stride;
  let p6 = job.a + min(row + 6u, last_row) * job.a_stride;
  let p7 = job.a + min(row + 7u, last_row) * job.a_stride;
//#endif
//#endif

//#if NT
  let last = job.columns - 1u;
  let q0 = job.b + min(column * 4u, last) * job.b_stride;
  let q1 = job.b + min(column * 4u + 1u, last) * job.b_stride;
  let q2 = job.b + min(column * 4u + 2u, last) * job.b_stride;
  let q3 = job.b + min(column * 4u + 3u, last) * job.b_stride;
  let q4 = job.b + min(column * 4u + 4u, last) * job.b_stride;
  let q5 = job.b + min(column * 4u + 5u, last) * job.b_stride;
  let q6 = job.b + min(column * 4u + 6u, last) * job.b_stride;
  let q7 = job.b + min(column * 4u + 7u, last) * job.b_stride;
//#else
  var q0 = job.b + min(column, last_column);
  var q1 = job.b + min(column + 1u, last_column);
  let stride = job.b_stride;
//#endif

//#if NT
  let bias0 = parameters[job.bias + min(column, last_column)];
  let bias1 = parameters[job.bias + min(column + 1u, last_column)];
//#else
  let bias0 = vec4f(0.0);
  let bias1 = vec4f(0.0);
//#endif
  var t00 = mat4x4f(bias0, bias0, bias0, bias0); var t01 = mat4x4f(bias1, bias1, bias1, bias1);
  var t10 = t00; var t11 = t01;
//#if SUBGROUPS
  var t20 = t00; var t21 = t01;
  var t30 = t00; var t31 = t01;
//#endif

  for (var k = 0u; k < depth; k++) {
//#if NT
    let b0 = transpose(mat4x4f(parameters[q0 + k], parameters[q1 + k], parameters[q2 + k], parameters[q3 + k]));
    let b1 = transpose(mat4x4f(parameters[q4 + k], parameters[q5 + k], parameters[q6 + k], parameters[q7 + k]));
//#elif NN
    let b0 = mat4x4f(parameters[q0], parameters[q0 + stride], parameters[q0 + 2u * stride], parameters[q0 + 3u * stride]);
    let b1 = mat4x4f(parameters[q1], parameters[q1 + stride], parameters[q1 + 2u * stride], parameters[q1 + 3u * stride]);
    q0 += 4u * stride;
    q1 += 4u * stride;
//#else
    let b0 = mat4x4f(activations[q0], activations[q0 + stride], activations[q0 + 2u * stride], activations[q0 + 3u * stride]);
    let b1 = mat4x4f(activations[q1], activations[q1 + stride], activations[q1 + 2u * stride], activations[q1 + 3u * stride]);
    q0 += 4u * stride;
    q1 += 4u * stride;
//#endif

//#if SUBGROUPS
//#if TN
    // Rows beyond the depth hold other tensors' numbers.
    let m = 4u * k + ((sublane >> 2u) & 1u);
    let x0 = select(vec4f(0.0), activations[p], m < job.depth);
    let x1 = select(vec4f(0.0), activations[p + 2u * job.a_stride], m + 2u < job.depth);
    p += 4u * job.a_stride;
    let a0 = transpose(mat4x4f(subgroupBroadcast(x0, 0u), subgroupBroadcast(x0, 4u), subgroupBroadcast(x1, 0u), subgroupBroadcast(x1, 4u)));
    let a1 = transpose(mat4x4f(subgroupBroadcast(x0, 1u), subgroupBroadcast(x0, 5u), subgroupBroadcast(x1, 1u), subgroupBroadcast(x1, 5u)));
    let a2 = transpose(mat4x4f(subgroupBroadcast(x0, 2u), subgroupBroadcast(x0, 6u), subgroupBroadcast(x1, 2u), subgroupBroadcast(x1, 6u)));
    let a3 = transpose(mat4x4f(subgroupBroadcast(x0, 3u), subgroupBroadcast(x0, 7u), subgroupBroadcast(x1, 3u), subgroupBroadcast(x1, 7u)));
//#else
    let x0 = activations[p0 + k];
    let x1 = activations[p1 + k];
    let a0 = mat4x4f(subgroupBroadcast(x0, 0u), subgroupBroadcast(x0, 1u), subgroupBroadcast(x0, 2u), subgroupBroadcast(x0, 3u));
    let a1 = mat4x4f(subgroupBroadcast(x0, 4u), subgroupBroadcast(x0, 5u), subgroupBroadcast(x0, 6u), subgroupBroadcast(x0, 7u));
    let a2 = mat4x4f(subgroupBroadcast(x1, 0u), subgroupBroadcast(x1, 1u), subgroupBroadcast(x1, 2u), subgroupBroadcast(x1, 3u));
    let a3 = mat4x4f(subgroupBroadcast(x1, 4u), subgroupBroadcast(x1, 5u), subgroupBroadcast(x1, 6u), subgroupBroadcast(x1, 7u));
//#endif
//#else
//#if TN
    // Rows beyond the depth hold other tensors' numbers.
    let left = job.depth - 4u * k;
    let one = select(0.0, 1.0, left > 1u);
    let two = select(0.0, 1.0, left > 2u);
    let three = select(0.0, 1.0, left > 3u);
    let a0 = transpose(mat4x4f(activations[p0], one * activations[p0 + job.a_stride], two * activations[p0 + 2u * job.a_stride], three * activations[p0 + 3u * job.a_stride]));
    let a1 = transpose(mat4x4f(activations[p1], one * activations[p1 + job.a_stride], two * activations[p1 + 2u * job.a_stride], three * activations[p1 + 3u * job.a_stride]));
    p0 += 4u * job.a_stride;
    p1 += 4u * job.a_stride;
//#else
    let a0 = mat4x4f(activations[p0 + k], activations[p1 + k], activations[p2 + k], activations[p3 + k]);
    let a1 = mat4x4f(activations[p4 + k], activations[p5 + k], activations[p6 + k], activations[p7 + k]);
//#endif
//#endif

    t00 = accumulate(t00, a0, b0); t01 = accumulate(t01, a0, b1);
    t10 = accumulate(t10, a1, b0); t11 = accumulate(t11, a1, b1);
//#if SUBGROUPS
    t20 = accumulate(t20, a2, b0); t21 = accumulate(t21, a2, b1);
    t30 = accumulate(t30, a3, b0); t31 = accumulate(t31, a3, b1);
//#endif
  }

//#if TN
  if (summing) {
    return;
  }
//#endif
  // The results in one array and one loop over it, whose length the compiler does not know: unrolled,
  // the loads and stores of the epilogue slow the product down on some drivers.
//#if SUBGROUPS
  var tile = array<vec4f, 32>(
    t00[0], t01[0], t00[1], t01[1], t00[2], t01[2], t00[3], t01[3],
    t10[0], t11[0], t10[1], t11[1], t10[2], t11[2], t10[3], t11[3],
    t20[0], t21[0], t20[1], t21[1], t20[2], t21[2], t20[3], t21[3],
    t30[0], t31[0], t30[1], t31[1], t30[2], t31[2], t30[3], t31[3],
  );
//#else
  var tile = array<vec4f, 16>(
    t00[0], t01[0], t00[1], t01[1], t00[2], t01[2], t00[3], t01[3],
    t10[0], t11[0], t10[1], t11[1], t10[2], t11[2], t10[3], t11[3],
  );
//#endif
//#if TN
  if (job.turned == 1u) {
    // Blocks of four by four are turned in place; entry i of the array is then a vec4 along the rows.
//#if SUBGROUPS
    let u00 = transpose(t00); let u01 = transpose(t01); let u10 = transpose(t10); let u11 = transpose(t11);
    let u20 = transpose(t20); let u21 = transpose(t21); let u30 = transpose(t30); let u31 = transpose(t31);
    tile = array<vec4f, 32>(
      u00[0], u10[0], u20[0], u30[0], u00[1], u10[1], u20[1], u30[1],
      u00[2], u10[2], u20[2], u30[2], u00[3], u10[3], u20[3], u30[3],
      u01[0], u11[0], u21[0], u31[0], u01[1], u11[1], u21[1], u31[1],
      u01[2], u11[2], u21[2], u31[2], u01[3], u11[3], u21[3], u31[3],
    );
//#else
    let u00 = transpose(t00); let u01 = transpose(t01); let u10 = transpose(t10); let u11 = transpose(t11);
    tile = array<vec4f, 16>(
      u00[0], u10[0], u00[1], u10[1], u00[2], u10[2], u00[3], u10[3],
      u01[0], u11[0], u01[1], u11[1], u01[2], u11[2], u01[3], u11[3],
    );
//#endif
    let across = TILE_ROWS / 4u;
    for (var i = 0u; i < min(2u, last_column + 1u - min(column, last_column + 1u)) * TILE_ROWS; i++) {
      let out_row = column * 4u + i / across;
      let out_column = row / 4u + i % across;
      if (out_row < job.columns && out_column <= last_row / 4u) {
        activations[job.out + out_row * job.out_stride + out_column] = tile[i];
      }
    }
    return;
  }
//#endif
  let rows = min(job.rows - row, TILE_ROWS);
  for (var i = 0u; i < 2u * rows; i++) {
    store(job, row + i / 2u, column + i % 2u, tile[i]);
  }
}
