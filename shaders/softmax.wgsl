// Softmax over the columns of each row: exp(x - m) / sum of exp(x - m), where m is the largest
// entry. With LOG_SUM, log-sum-exp: m + log of that sum. SHARES invocations share a row. Requires
// nan.wgsl.

override SHARES = 8u; // a power of two
const lowest = -3.4028234663852886e38;

struct Job {
  rows: u32,
  columns: u32,
  x: u32,
  x_stride: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

var<workgroup> partial: array<f32, 64>;

// The maximum and the sum over the invocations of a row, in a fixed order.
fn row_largest(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  var all = vec4f(lowest);
  for (var i = 0u; i < SHARES; i++) {
    all = max_or_nan(all, vec4f(partial[lane - lane % SHARES + i]));
  }
  return all.x;
}

fn row_sum(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  var all = 0.0;
  for (var i = 0u; i < SHARES; i++) {
    all += partial[lane - lane % SHARES + i];
  }
  return all;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let wanted = work.y * (64u / SHARES) + lane / SHARES;
  let row = min(wanted, job.rows - 1u);
  let width = (job.columns + 3u) / 4u;
  var largest = vec4f(lowest);
  for (var c = lane % SHARES; c < width; c += SHARES) {
    let inside = c * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(job.columns);
    let x = activations[job.x + row * job.x_stride + c];
    largest = max_or_nan(largest, select(vec4f(lowest), x, inside));
  }
  let two = max_or_nan(largest, largest.zwxy);
  let m = row_largest(max_or_nan(two, two.yxwz).x, lane);
  var total = vec4f(0.0);
  for (var c = lane % SHARES; c < width; c += SHARES) {
    let inside = c * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(job.columns);
    let x = activations[job.x + row * job.x_stride + c];
    total += select(vec4f(0.0), exp(x - m), inside);
  }
  let sum = row_sum((total.x + total.y) + (total.z + total.w), lane);
//#if LOG_SUM
  if (lane % SHARES == 0u && wanted < job.rows) {
    activations[job.out + row * job.out_stride] = vec4f(m + log(sum), 0.0, 0.0, 0.0);
  }
//#else
  for (var c = lane % SHARES; c < width && wanted < job.rows; c += SHARES) {
    let inside = c * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(job.columns);
    let x = activations[job.x + row * job.x_stride + c];
    activations[job.out + row * job.out_stride + c] = select(vec4f(0.0), exp(x - m) / sum, inside);
  }
//#endif
}
