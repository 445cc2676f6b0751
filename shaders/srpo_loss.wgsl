// SRPO's policy gradient (Eq. 15), scaled by beta as in the official code:
//   d loss / d a = [ omega(t) (epsilon_hat - baseline z) - beta dQ/da ] / rows
// and its surrogate loss, the mean over rows of a . [...]. With `weighted_q`, dQ/da is multiplied by
// weighted_q omega(t) too. With `normalize`, dQ/da is divided by its root mean square over the
// action's entries (beta_norm, Appendix C). Beta, omega, the baseline and the normalization are set
// per job, so replicas may differ in them. With TANH_DERIVATIVE, the gradient is with respect to the
// argument of a = tanh(...).

struct Job {
  rows: u32,
  columns: u32, // entries of an action
  heads: u32,
  beta: f32,
  weighting: u32, // 0: sigma^2, 1: constant, 2: alpha / sigma, 3: sigma^4
  scale: f32, // multiplies omega
  weighted_q: f32, // 0: the weight of dQ/da does not depend on t
  baseline: f32, // 1: subtract z, 0: do not
  normalize: u32,
  action: u32,
  action_stride: u32,
  noise_hat: u32,
  noise_hat_stride: u32,
  z: u32,
  z_stride: u32,
  q_gradient: u32,
  q_gradient_stride: u32,
  t: u32,
  q: u32,
  q_head: u32, // distance between heads
  gradient: u32,
  gradient_stride: u32,
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
  let width = (job.columns + 3u) / 4u;
  let share = 1.0 / f32(job.rows);
  var total = vec4f(0.0);
  for (var row = lane; row < job.rows; row += WORKGROUP) {
    let at = schedule(activations[job.t + row].x);
    var omega = at.sigma * at.sigma;
    omega = select(omega, 1.0, job.weighting == 1u);
    omega = select(omega, at.alpha / at.sigma, job.weighting == 2u);
    omega = select(omega, omega * omega, job.weighting == 3u);
    omega *= job.scale;

    var beta = job.beta;
    if (job.normalize == 1u) {
      var squares = 0.0;
      for (var c = 0u; c < width; c++) {
        let g = activations[job.q_gradient + row * job.q_gradient_stride + c];
        squares += dot(g, g);
      }
      // A zero gradient has no direction to normalize; the official code divides 0 by 0 here.
      let rms = sqrt(squares / f32(job.columns));
      beta = select(0.0, job.beta / rms, rms > 0.0);
    }
    beta *= select(1.0, job.weighted_q * omega, job.weighted_q > 0.0);
    for (var c = 0u; c < width; c++) {
      let a = activations[job.action + row * job.action_stride + c];
      let z = activations[job.z + row * job.z_stride + c];
      let e = activations[job.noise_hat + row * job.noise_hat_stride + c] - job.baseline * z;
      let g = activations[job.q_gradient + row * job.q_gradient_stride + c];
      let direction = omega * e - beta * g;
      total.x += dot(direction, a);
      var gradient = direction * share;
//#if TANH_DERIVATIVE
      gradient *= 1.0 - a * a;
//#endif
      activations[job.gradient + row * job.gradient_stride + c] = gradient;
    }
    for (var head = 0u; head < job.heads; head++) {
      total.y += activations[job.q + head * job.q_head + row].x / f32(job.heads);
    }
  }
  let mean = reduce(total, lane) * share;
  if (lane == 0u) {
    metrics[step_.row * job.metrics_width + job.metric] = mean.x;
    metrics[step_.row * job.metrics_width + job.q_metric] = mean.y;
  }
}
