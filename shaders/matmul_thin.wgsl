// A linear layer with at most four outputs: out = activation(A B^T + bias). Each invocation
// computes all outputs of two rows, so that all lanes are busy despite the few columns. With
// SUBGROUPS, eight lanes load different weights and exchange them.

override LANES = 64u;

struct Job {
  rows: u32,
  columns: u32,
  depth: u32, // in vec4s
  a: u32,
  a_stride: u32,
  b: u32,
  b_stride: u32,
  bias: u32,
  out: u32,
  out_stride: u32,
  floor: f32, // 0 for ReLU, otherwise the lowest f32
  squash: u32, // 1: tanh
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

// Returns the weights for four steps of the depth. Row c holds the weights of output c.
fn weights(job: Job, k: u32) -> mat4x4f {
  var rows = mat4x4f();
  if (k < job.depth) {
    rows[0] = parameters[job.b + k];
    if (job.columns > 1u) { rows[1] = parameters[job.b + job.b_stride + k]; }
    if (job.columns > 2u) { rows[2] = parameters[job.b + 2u * job.b_stride + k]; }
    if (job.columns > 3u) { rows[3] = parameters[job.b + 3u * job.b_stride + k]; }
  }
  return rows;
}

fn combine(left: vec4f, right: mat4x4f) -> vec4f {
  return fma(vec4f(left.w), right[3], fma(vec4f(left.z), right[2],
    fma(vec4f(left.y), right[1], left.x * right[0])));
}

//#if SUBGROUPS
// total + eight vec4s of a row, from k on, times their weights. Weights beyond the depth are zero.
fn accumulate(total: vec4f, place: u32, k: u32, last: u32, w: array<mat4x4f, 8>) -> vec4f {
  var sum = total;
  for (var i = 0u; i < 8u; i++) {
    sum += combine(activations[place + min(k + i, last)], w[i]);
  }
  return sum;
}
//#endif

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
  let row = (work.y * LANES + lane) * 2u;
  let p0 = job.a + row * job.a_stride;
  let p1 = p0 + job.a_stride;
  let bias = parameters[job.bias];
  var tile = array<vec4f, 2>(bias, bias);
//#if SUBGROUPS
  let last = job.depth - 1u;
  for (var k = 0u; k < job.depth; k += 8u) {
    let w = weights(job, k + (sublane & 7u));
    let eight = array<mat4x4f, 8>(
      transpose(mat4x4f(subgroupBroadcast(w[0], 0u), subgroupBroadcast(w[1], 0u), subgroupBroadcast(w[2], 0u), subgroupBroadcast(w[3], 0u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 1u), subgroupBroadcast(w[1], 1u), subgroupBroadcast(w[2], 1u), subgroupBroadcast(w[3], 1u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 2u), subgroupBroadcast(w[1], 2u), subgroupBroadcast(w[2], 2u), subgroupBroadcast(w[3], 2u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 3u), subgroupBroadcast(w[1], 3u), subgroupBroadcast(w[2], 3u), subgroupBroadcast(w[3], 3u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 4u), subgroupBroadcast(w[1], 4u), subgroupBroadcast(w[2], 4u), subgroupBroadcast(w[3], 4u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 5u), subgroupBroadcast(w[1], 5u), subgroupBroadcast(w[2], 5u), subgroupBroadcast(w[3], 5u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 6u), subgroupBroadcast(w[1], 6u), subgroupBroadcast(w[2], 6u), subgroupBroadcast(w[3], 6u))),
      transpose(mat4x4f(subgroupBroadcast(w[0], 7u), subgroupBroadcast(w[1], 7u), subgroupBroadcast(w[2], 7u), subgroupBroadcast(w[3], 7u))),
    );
    if (row < job.rows) { tile[0] = accumulate(tile[0], p0, k, last, eight); }
    if (row + 1u < job.rows) { tile[1] = accumulate(tile[1], p1, k, last, eight); }
  }
//#else
  for (var k = 0u; k < job.depth; k++) {
    let w = transpose(weights(job, k));
    if (row < job.rows) { tile[0] += combine(activations[p0 + k], w); }
    if (row + 1u < job.rows) { tile[1] += combine(activations[p1 + k], w); }
  }
//#endif
  let inside = vec4u(0u, 1u, 2u, 3u) < vec4u(job.columns);
  for (var i = 0u; i < 2u; i++) {
    if (row + i < job.rows) {
      // Computes both activations: with so few outputs, this costs less than a separate dispatch.
      let value = select(max_or_nan(tile[i], vec4f(job.floor)), tanh_stable(tile[i]), job.squash == 1u);
      activations[job.out + (row + i) * job.out_stride] = select(vec4f(0.0), value, inside);
    }
  }
}
