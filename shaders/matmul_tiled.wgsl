// Matrix product through workgroup memory, for GPUs with fast memory shared by a workgroup. The
// forms NT, NN and TN are those of matmul.wgsl.
//
// A workgroup computes 64 by 64 outputs in chunks of 16 steps of the depth. For each chunk, each of
// its 128 invocations loads one block of four by four, the first half of them from A and the other
// half from B, and stores it with the depth outermost. The next chunk is loaded while the current
// one is multiplied. Each invocation computes eight rows by four columns. Sixteen products are
// summed before they are added to the total, which keeps the rounding error of long sums small.

// Row stride in vec4s: 16 for 64 entries, and one unused, which reduces memory bank conflicts.
const STRIDE = 17u;
const STEPS = 16u;

var<workgroup> left: array<vec4f, 272>; // [STEPS, STRIDE]: 64 rows of A
var<workgroup> right: array<vec4f, 272>; // [STEPS, STRIDE]: 64 columns of B

// Adds products to the total: column i gets row i of the left factor times the right columns.
fn accumulate(total: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(rows.x), columns, total[0]),
    fma(vec4f(rows.y), columns, total[1]),
    fma(vec4f(rows.z), columns, total[2]),
    fma(vec4f(rows.w), columns, total[3]),
  );
}

//#if TN
// Returns four steps of the depth, starting at step 4 k. Steps beyond the depth belong to other
// tensors and are returned as zeros.
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

// Returns a block of four rows (or columns) by four steps of the depth, the depth outermost.
//   along:  row or column of the matrix, in vec4s
//   k:      step of the depth, in vec4s
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
    // Memory beyond the last step belongs to other parameters.
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
  // There are at least as many columns as rows. Tiles advance down the rows first, so the larger
  // factor is read from main memory once.
  let first_row = (work.y % job.inner_tiles) * 16u; // in vec4s, like the following places
  let first_column = (work.y / job.inner_tiles) * 16u;
  let depth = (job.depth + 3u) / 4u;
//#else
  let first_row = (work.y / job.inner_tiles) * 16u;
  let first_column = (work.y % job.inner_tiles) * 16u;
//#if NN
  let depth = job.members * job.depth; // the networks one after another
//#else
  let depth = job.depth;
//#endif
//#endif
  let column = first_column + across;

  // The block that this invocation loads. Neighbouring invocations load adjacent memory.
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
  // The first row or column of tiles sums the columns of the factor that is the upstream gradient.
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
  // Four invocations hold sums of the same columns over different steps of the depth.
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
