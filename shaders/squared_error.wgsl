// loss = scale * sum of (x - goal)^2 over all entries, and its gradient with respect to x. With
// scale 1 / (rows columns) it is the mean squared error, with 1 / rows the diffusion loss (Eq. 13).

struct Job {
  rows: u32,
  width: u32, // in vec4s
  scale: f32,
  x: u32,
  x_stride: u32,
  goal: u32,
  goal_stride: u32,
  gradient: u32,
  gradient_stride: u32,
  metric: u32,
  metrics_width: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> metrics: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  var total = 0.0;
  for (var row = lane; row < job.rows; row += WORKGROUP) {
    for (var c = 0u; c < job.width; c++) {
      let difference = activations[job.x + row * job.x_stride + c] -
        activations[job.goal + row * job.goal_stride + c];
      total += dot(difference, difference);
      activations[job.gradient + row * job.gradient_stride + c] = 2.0 * job.scale * difference;
    }
  }
  let loss = reduce(vec4f(total, 0.0, 0.0, 0.0), lane).x * job.scale;
  if (lane == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = loss;
  }
}
