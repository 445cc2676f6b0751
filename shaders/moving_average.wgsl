// Exponential moving average of the parameters of a family of networks. The host computes the rate.

override WORKGROUP = 64u;

struct Job {
  count: u32, // in vec4s
  parameter: u32,
  average: u32,
  rate: u32, // scalar
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let i = work.y * WORKGROUP + lane;
  let rate = scalar(job.rate);
  if (i < job.count && rate > 0.0) {
    let average = parameters[job.average + i];
    parameters[job.average + i] = rate * parameters[job.parameter + i] + (1.0 - rate) * average;
  }
}
