// Sums the columns of each row, times a factor. SHARES invocations share a row and reduce in a fixed
// tree order. The padding is zero.

override SHARES = 8u; // a power of two

struct Job {
  rows: u32,
  width: u32, // in vec4s
  factor: f32,
  x: u32,
  x_stride: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let row = work.y * (64u / SHARES) + lane / SHARES;
  var total = vec4f(0.0);
  if (row < job.rows) {
    for (var c = lane % SHARES; c < job.width; c += SHARES) {
      total += activations[job.x + row * job.x_stride + c];
    }
  }
  partial[lane] = (total.x + total.y) + (total.z + total.w);
  for (var half = SHARES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane % SHARES < half) {
      partial[lane] += partial[lane + half];
    }
  }
  if (lane % SHARES == 0u && row < job.rows) {
    activations[job.out + row * job.out_stride] = vec4f(job.factor * partial[lane], 0.0, 0.0, 0.0);
  }
}
