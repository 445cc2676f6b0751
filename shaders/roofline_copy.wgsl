// Measures the peak memory bandwidth: each invocation copies one vec4.

struct Job {
  count: u32, // vec4s
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read_write> written: array<vec4f>;
@group(0) @binding(3) var<storage, read> source: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let i = work.y * 256u + lane;
  if (i < jobs[work.x].count) {
    written[i] = source[i];
  }
}
