// The sum of squares of one replica of a tensor, computed by one workgroup. Requires reduce.wgsl.

struct Job {
  rows: u32,
  width: u32, // in vec4s
  x: u32,
  x_stride: u32,
  out: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  var total = vec4f(0.0);
  for (var i = lane; i < job.rows * job.width; i += WORKGROUP) {
    let x = activations[job.x + i / job.width * job.x_stride + i % job.width];
    total += x * x;
  }
  let sum = reduce(total, lane);
  if (lane == 0u) {
    activations[job.out] = vec4f((sum.x + sum.y) + (sum.z + sum.w), 0.0, 0.0, 0.0);
  }
}
