// The column of each row's largest entry, as a float; the first one if several are equal. A NaN
// counts as the largest. Requires nan.wgsl.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // of the result, in vec4s
  columns: u32,
  x: u32,
  x_stride: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let row = work.y * WORKGROUP + lane;
  if (row >= job.rows) {
    return;
  }
  var best = 0u;
  var largest = 0.0;
  for (var column = 0u; column < job.columns; column++) {
    let four = activations[job.x + row * job.x_stride + column / 4u];
    if (is_nan(four)[column % 4u]) {
      best = column;
      break;
    }
    let x = four[column % 4u];
    if (column == 0u || x > largest) {
      best = column;
      largest = x;
    }
  }
  activations[job.out + row * job.out_stride] = vec4f(f32(best), 0.0, 0.0, 0.0);
}
