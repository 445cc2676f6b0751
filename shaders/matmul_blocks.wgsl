// Loads of the matrix product into registers, and its arithmetic, in blocks of four by four: a block of
// A holds four rows, each a vec4 along the depth, and a block of B holds four steps of the depth, each
// a vec4 along the columns. Rows, columns and depths are counted in blocks. Follows matmul.wgsl.

//#if !WORKGROUP
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

// Four products are summed before they are added to a total, which keeps the rounding error of
// long sums small.
fn combine(a: vec4f, b: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), b[3], fma(vec4f(a.z), b[2], fma(vec4f(a.y), b[1], a.x * b[0])));
}

fn multiply(a: mat4x4f, b: mat4x4f) -> mat4x4f {
  return mat4x4f(combine(a[0], b), combine(a[1], b), combine(a[2], b), combine(a[3], b));
}
//#endif
