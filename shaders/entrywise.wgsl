// The common part of all entrywise operations: one invocation computes four neighboring entries of
// the result. The preceding struct `Job` and function `entries` are generated from the table in
// lib/autodiff/ops/entrywise.ts.

override WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let index = work.y * WORKGROUP + lane;
  let row = index / job.width;
  let column = index % job.width;
  if (row >= job.rows) {
    return;
  }
  let value = entries(job, row, column);
  // The padding must stay zero, although for example exp(0) is 1.
  let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
  activations[job.out + row * job.out_stride + column] =
    select(vec4f(0.0), value, entry < vec4u(job.columns));
}
