// Reports one number per replica as a metric. Requires step.wgsl.

struct Job {
  x: u32,
  metric: u32,
  metrics_width: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3u) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  if (work.y == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = activations[job.x].x;
  }
}
