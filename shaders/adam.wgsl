// One Adam or AdamW step for a family of networks.

//#if !CLIP
override WORKGROUP = 64u;
//#endif

struct Job {
  count: u32, // in vec4s
  gradient: u32,
  parameter: u32,
  mean: u32,
  square: u32,
  rate: u32, // scalar: learning rate / (1 - beta1^k)
  correction: u32, // scalar: 1 / sqrt(1 - beta2^k)
  decay: u32, // scalar: 1 - learning rate * weight decay
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  epsilon: f32,
  average: u32,
  average_rate: u32, // scalar: rate of the target networks' moving average; 0 for none
//#if CLIP
  sums: u32, // of the gradient's squares
  sum_count: u32,
  largest_norm: f32,
//#endif
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let i = work.y * WORKGROUP + lane;
  var scale = 1.0;
//#if CLIP
  var total = vec4f(0.0);
  for (var k = lane; k < job.sum_count; k += WORKGROUP) {
    total += activations[job.sums + k];
  }
  let squares = dot(reduce(total, lane), vec4f(1.0));
  // As in PyTorch's clip_grad_norm_.
  scale = min(1.0, job.largest_norm / (sqrt(squares) + 1e-6));
//#endif
  if (i < job.count) {
    update(job, i, scale * activations[job.gradient + i]);
  }
}
