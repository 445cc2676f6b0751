// A linear layer with at most four outputs: out = activation(A B^T + bias). Each invocation computes
// four rows, so that all lanes work although there are few columns.

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
  floor: f32, // 0 for ReLU, the lowest number for none
  squash: u32, // 1: tanh
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

fn combine(left: vec4f, right: mat4x4f) -> vec4f {
  return fma(vec4f(left.w), right[3], fma(vec4f(left.z), right[2],
    fma(vec4f(left.y), right[1], left.x * right[0])));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let row = (work.y * LANES + lane) * 4u;
  if (row >= job.rows) {
    return;
  }
  let last_row = job.rows - 1u;
  let last_column = job.columns - 1u;
  let p0 = job.a + row * job.a_stride;
  let p1 = job.a + min(row + 1u, last_row) * job.a_stride;
  let p2 = job.a + min(row + 2u, last_row) * job.a_stride;
  let p3 = job.a + min(row + 3u, last_row) * job.a_stride;
  let q0 = job.b;
  let q1 = job.b + min(1u, last_column) * job.b_stride;
  let q2 = job.b + min(2u, last_column) * job.b_stride;
  let q3 = job.b + min(3u, last_column) * job.b_stride;
  let bias = parameters[job.bias];
  var tile = array<vec4f, 4>(bias, bias, bias, bias);
  for (var k = 0u; k < job.depth; k++) {
    let right = transpose(mat4x4f(
      parameters[q0 + k],
      parameters[q1 + k],
      parameters[q2 + k],
      parameters[q3 + k],
    ));
    tile[0] += combine(activations[p0 + k], right);
    tile[1] += combine(activations[p1 + k], right);
    tile[2] += combine(activations[p2 + k], right);
    tile[3] += combine(activations[p3 + k], right);
  }
  let inside = vec4u(0u, 1u, 2u, 3u) < vec4u(job.columns);
  for (var i = 0u; i < min(4u, job.rows - row); i++) {
    // Both are computed: so few outputs cost less than a dispatch of their own.
    let value = select(max(tile[i], vec4f(job.floor)), tanh_stable(tile[i]), job.squash == 1u);
    activations[job.out + (row + i) * job.out_stride] = select(vec4f(0.0), value, inside);
  }
}
