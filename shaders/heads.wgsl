// Reduces the heads of a tensor (neighboring replicas) entry by entry. SUM: their sum times a
// factor. Without a directive: their minimum. GRADIENT: the gradient of the minimum, which is the
// upstream gradient at the smallest head (the first one if several are equal) and zero at the
// others. Requires nan.wgsl except with SUM.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  heads: u32,
//#if SUM
  factor: f32,
//#endif
  x: u32,
  x_head: u32, // distance between heads
  x_stride: u32,
//#if GRADIENT
  upstream: u32,
  upstream_stride: u32,
  out_head: u32,
//#endif
  out: u32,
  out_stride: u32,
}

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
  let place = job.x + row * job.x_stride + column;
  let out = job.out + row * job.out_stride + column;
  var value = activations[place];
  var chosen = vec4u(0u);
  for (var head = 1u; head < job.heads; head++) {
    let next = activations[place + head * job.x_head];
//#if SUM
    value += next;
//#else
    chosen = select(chosen, vec4u(head), next < value);
    value = min_or_nan(value, next);
//#endif
  }
//#if SUM
  activations[out] = job.factor * value;
//#elif GRADIENT
  let upstream = activations[job.upstream + row * job.upstream_stride + column];
  for (var head = 0u; head < job.heads; head++) {
    activations[out + head * job.out_head] = select(vec4f(0.0), upstream, chosen == vec4u(head));
  }
//#else
  activations[out] = value;
//#endif
}
