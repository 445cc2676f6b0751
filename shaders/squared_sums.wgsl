// Sums of the squares of one replica of a tensor, one vec4 per workgroup. Requires reduce.wgsl.

override VECTORS = 16u; // per invocation

struct Job {
  rows: u32,
  width: u32, // in vec4s
  x: u32,
  x_stride: u32,
  sums: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let count = job.rows * job.width;
  let first = work.y * WORKGROUP * VECTORS;
  let end = min(count, first + WORKGROUP * VECTORS);
  var total = vec4f(0.0);
  for (var i = first + lane; i < end; i += WORKGROUP) {
    let x = activations[job.x + (i / job.width) * job.x_stride + i % job.width];
    total += x * x;
  }
  let sum = reduce(total, lane);
  if (lane == 0u && first < count) {
    activations[job.sums + work.y] = sum;
  }
}
