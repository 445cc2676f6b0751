// Expectile regression of V towards the smaller of the target Q-heads (Eq. 11):
// u = min Q - V, loss = mean |tau - 1(u < 0)| u^2, and its gradient with respect to V.

struct Job {
  rows: u32,
  heads: u32,
  tau: f32,
  q: u32,
  q_head: u32, // distance between heads
  v: u32,
  gradient: u32,
  metric: u32,
  q_metric: u32,
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
  let share = 1.0 / f32(job.rows);
  var total = vec4f(0.0);
  for (var row = lane; row < job.rows; row += WORKGROUP) {
    var smallest = activations[job.q + row];
    for (var head = 1u; head < job.heads; head++) {
      smallest = min_or_nan(smallest, activations[job.q + head * job.q_head + row]);
    }
    let q = smallest.x;
    let u = q - activations[job.v + row].x;
    let weight = select(job.tau, 1.0 - job.tau, u < 0.0);
    total += vec4f(weight * u * u, q, 0.0, 0.0);
    activations[job.gradient + row] = vec4f(-2.0 * weight * u * share, 0.0, 0.0, 0.0);
  }
  let mean = reduce(total, lane) * share;
  if (lane == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = mean.x;
    metrics[step_.row * job.metrics_width + job.q_metric] = mean.y;
  }
}
