// Matrix product through workgroup memory: for GPUs whose invocations share a fast memory of their own.
// The forms are those of matmul.wgsl.
//
// A workgroup computes 64 by 64 outputs. Sixteen steps of the depth at a time, each of its 128
// invocations loads one block of four by four, the first half of A, the other half of B, and lays it
// down with the depth outermost; what comes next is loaded while this is multiplied. An invocation then
// multiplies eight rows by four columns. Sixteen products are summed before they meet the total, which
// keeps the rounding error of long sums small.

// Vec4s of a row of 64, with one unused: fewer invocations then write to the same memory bank.
const STRIDE = 17u;
const STEPS = 16u;

var<workgroup> left: array<vec4f, 272>; // [STEPS, STRIDE]: 64 rows of A
var<workgroup> right: array<vec4f, 272>; // [STEPS, STRIDE]: 64 columns of B

// total + column i: row i of the left factor times the columns of the right one.
fn accumulate(total: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(rows.x), columns, total[0]),
    fma(vec4f(rows.y), columns, total[1]),
    fma(vec4f(rows.z), columns, total[2]),
    fma(vec4f(rows.w), columns, total[3]),
  );
}

//#if TN
// Four steps of the depth, from `place` on; zeros beyond it, where other tensors' numbers lie.
fn block_down(place: u32, stride: u32, k: u32, depth: u32) -> mat4x4f {
  var block = mat4x4f();
  for (var i = 0u; i < 4u; i++) {
    if (4u * k + i < depth) {
      block[i] = activations[place + (4u * k + i) * stride];
    }
  }
  return block;
}
//#endif

// A block of four rows (or columns) by four steps of the depth, the depth outermost.
//   along:  which of the 64 rows or columns, in vec4s, counted from the first of the matrix
//   k:      which steps of the depth, in vec4s
fn block_of_a(job: Job, along: u32, k: u32) -> mat4x4f {
//#if TN
  return block_down(job.a + min(along, (job.rows - 1u) / 4u), job.a_stride, k, job.depth);
//#else
//#if NN
  if (k >= job.members * job.depth) {
    return mat4x4f();
  }
  let p = job.a + k / job.depth * job.a_member + k % job.depth;
//#else
  if (k >= job.depth) {
    return mat4x4f();
  }
  let p = job.a + k;
//#endif
  let last = job.rows - 1u;
  return transpose(mat4x4f(
    activations[p + min(4u * along, last) * job.a_stride],
    activations[p + min(4u * along + 1u, last) * job.a_stride],
    activations[p + min(4u * along + 2u, last) * job.a_stride],
    activations[p + min(4u * along + 3u, last) * job.a_stride],
  ));
//#endif
}

fn block_of_b(job: Job, along: u32, k: u32) -> mat4x4f {
//#if NT
  if (k >= job.depth) {
    return mat4x4f();
  }
  let last = job.columns - 1u;
  return transpose(mat4x4f(
    parameters[job.b + min(4u * along, last) * job.b_stride + k],
    parameters[job.b + min(4u * along + 1u, last) * job.b_stride + k],
    parameters[job.b + min(4u * along + 2u, last) * job.b_stride + k],
    parameters[job.b + min(4u * along + 3u, last) * job.b_stride + k],
  ));
//#elif NN
  if (k >= job.members * job.depth) {
    return mat4x4f();
  }
  let q = job.b + k / job.depth * job.b_member + min(along, (job.columns - 1u) / 4u);
  let step = 4u * (k % job.depth);
  var block = mat4x4f();
  for (var i = 0u; i < 4u; i++) {
    // Beyond the last step other parameters lie.
    if (step + i < job.steps) {
      block[i] = parameters[q + (step + i) * job.b_stride];
    }
  }
  return block;
//#else
  return block_down(job.b + min(along, (job.columns - 1u) / 4u), job.b_stride, k, job.depth);
//#endif
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let across = lane % 16u;
  let down = lane / 16u;
//#if TN
  // Columns outnumber rows: going down first, the larger factor is read from far memory once.
  let first_row = (work.y % job.inner_tiles) * 16u; // in vec4s, as all that follows
  let first_column = (work.y / job.inner_tiles) * 16u;
  let depth = (job.depth + 3u) / 4u;
//#else
  let first_row = (work.y / job.inner_tiles) * 16u;
  let first_column = (work.y % job.inner_tiles) * 16u;
//#if NN
  let depth = job.members * job.depth; // of all networks, one after another
//#else
  let depth = job.depth;
//#endif
//#endif
  let column = first_column + across;

  // The block that this invocation loads. Neighbours load what lies side by side in memory.
  let loads_a = lane < 64u;
  let spot = lane % 64u;
//#if TN
  let along = spot % 16u;
  let step = spot / 16u;
//#elif NN
  let along = select(spot % 16u, spot / 4u, loads_a);
  let step = select(spot / 16u, spot % 4u, loads_a);
//#else
  let along = spot / 4u;
  let step = spot % 4u;
//#endif

//#if NT
  let bias = parameters[job.bias + min(column, (job.columns - 1u) / 4u)];
//#else
  let bias = vec4f(0.0);
//#endif
  var t0 = mat4x4f(bias, bias, bias, bias);
  var t1 = t0;
//#if TN
  // One column of tiles, or one row of them, sums the columns of the factor that is the gradient.
  let summing = select(first_column == 0u && loads_a, first_row == 0u && !loads_a, job.turned == 1u);
  var sums = vec4f(0.0);
//#endif
  var block: mat4x4f;
  if (loads_a) {
    block = block_of_a(job, first_row + along, step);
  } else {
    block = block_of_b(job, first_column + along, step);
  }
  for (var k = 0u; k < depth; k += STEPS / 4u) {
//#if TN
    sums += (block[0] + block[1]) + (block[2] + block[3]);
//#endif
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      let place = (4u * step + i) * STRIDE + along;
      if (loads_a) {
        left[place] = block[i];
      } else {
        right[place] = block[i];
      }
    }
    workgroupBarrier();
    let next = k + STEPS / 4u + step;
    if (loads_a) {
      block = block_of_a(job, first_row + along, next);
    } else {
      block = block_of_b(job, first_column + along, next);
    }
    var p0 = mat4x4f();
    var p1 = mat4x4f();
    for (var s = 0u; s < STEPS; s++) {
      let columns = right[s * STRIDE + across];
      p0 = accumulate(p0, left[s * STRIDE + 2u * down], columns);
      p1 = accumulate(p1, left[s * STRIDE + 2u * down + 1u], columns);
    }
    t0 += p0;
    t1 += p1;
  }

  let row = first_row + 2u * down;
//#if TN
  // Four invocations hold the sums of the same columns, over different steps of the depth.
  workgroupBarrier();
  if (summing) {
    left[step * STRIDE + along] = sums;
  }
  workgroupBarrier();
  if (summing && step == 0u) {
    let place = select(first_row, first_column, job.turned == 1u) + along;
    let end = (select(job.rows, job.columns, job.turned == 1u) - 1u) / 4u;
    if (place <= end) {
      let total = left[along] + left[STRIDE + along] + left[2u * STRIDE + along] + left[3u * STRIDE + along];
      store_gradient(job, job.sums + place, total);
    }
  }
  if (job.turned == 1u) {
    let u0 = transpose(t0);
    let u1 = transpose(t1);
    let last_row = (job.rows - 1u) / 4u;
    for (var i = 0u; i < 4u; i++) {
      if (4u * column + i < job.columns) {
        let out = job.out + (4u * column + i) * job.out_stride + row;
        if (row <= last_row) {
          store_gradient(job, out, u0[i]);
        }
        if (row + 1u <= last_row) {
          store_gradient(job, out + 1u, u1[i]);
        }
      }
    }
    return;
  }
//#endif
  for (var i = 0u; i < 4u; i++) {
    store(job, 4u * row + i, column, t0[i]);
    store(job, 4u * row + 4u + i, column, t1[i]);
  }
}
