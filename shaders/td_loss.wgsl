// Temporal difference loss of all Q-heads (Eq. 12): y = r + gamma (1 - d) V(s'),
// loss = mean over rows, and mean or sum over heads, of (Q - y)^2, and its gradient with respect to Q.

struct Job {
  rows: u32,
  heads: u32,
  head_weight: f32, // 1 / heads for the mean, 1 for the sum
  gamma: f32,
  q: u32,
  q_head: u32, // distance between heads
  reward: u32,
  terminal: u32,
  next_v: u32,
  gradient: u32,
  gradient_head: u32,
  metric: u32,
  v_metric: u32,
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
  let head_share = share * job.head_weight;
  var total = vec4f(0.0);
  for (var row = lane; row < job.rows; row += WORKGROUP) {
    let v = activations[job.next_v + row].x;
    let alive = 1.0 - activations[job.terminal + row].x;
    let y = activations[job.reward + row].x + alive * job.gamma * v;
    for (var head = 0u; head < job.heads; head++) {
      let difference = activations[job.q + head * job.q_head + row].x - y;
      total.x += difference * difference * head_share;
      activations[job.gradient + head * job.gradient_head + row] =
        vec4f(2.0 * difference * head_share, 0.0, 0.0, 0.0);
    }
    total.y += v * share;
  }
  let sum = reduce(total, lane);
  if (lane == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = sum.x;
    metrics[step_.row * job.metrics_width + job.v_metric] = sum.y;
  }
}
