// Advantage-weighted regression: A = min Q - V, w = min(exp(temperature A), 100), loss = mean over
// rows of w |pi - a|^2, and its gradient with respect to pi. With TANH_DERIVATIVE, the gradient is
// with respect to the argument of pi = tanh(...).

struct Job {
  rows: u32,
  width: u32, // of an action, in vec4s
  heads: u32,
  temperature: f32,
  limit: f32,
  q: u32,
  q_head: u32, // distance between heads
  v: u32,
  policy: u32,
  policy_stride: u32,
  action: u32,
  action_stride: u32,
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
  let share = 1.0 / f32(job.rows);
  var total = 0.0;
  for (var row = lane; row < job.rows; row += WORKGROUP) {
    var q = activations[job.q + row];
    for (var head = 1u; head < job.heads; head++) {
      q = min_or_nan(q, activations[job.q + head * job.q_head + row]);
    }
    let advantage = q - activations[job.v + row];
    let growth = exp(min_or_nan(job.temperature * advantage, vec4f(80.0)));
    let weight = min_or_nan(growth, vec4f(job.limit)).x;
    for (var c = 0u; c < job.width; c++) {
      let policy = activations[job.policy + row * job.policy_stride + c];
      let difference = policy - activations[job.action + row * job.action_stride + c];
      total += weight * dot(difference, difference);
      var gradient = 2.0 * share * weight * difference;
//#if TANH_DERIVATIVE
      gradient *= 1.0 - policy * policy;
//#endif
      activations[job.gradient + row * job.gradient_stride + c] = gradient;
    }
  }
  let loss = reduce(vec4f(total, 0.0, 0.0, 0.0), lane).x * share;
  if (lane == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = loss;
  }
}
