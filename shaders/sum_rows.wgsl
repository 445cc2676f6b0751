// Sums groups of neighboring rows, times a factor. A workgroup handles COLUMNS vec4 columns of one
// group. Its other invocations share the rows and reduce in a fixed tree order.

override COLUMNS = 4u;

struct Job {
  rows: u32, // of the result
  width: u32, // in vec4s
  group: u32, // rows that are summed
  blocks: u32, // of COLUMNS vec4s that a row has
  factor: f32,
  x: u32,
  x_stride: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let shares = 64u / COLUMNS;
  let row = work.y / job.blocks;
  let column = work.y % job.blocks * COLUMNS + lane % COLUMNS;
  let inside = row < job.rows && column < job.width;
  var total = vec4f(0.0);
  if (inside) {
    for (var r = lane / COLUMNS; r < job.group; r += shares) {
      total += activations[job.x + (row * job.group + r) * job.x_stride + column];
    }
  }
  partial[lane] = total;
  for (var half = shares / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half * COLUMNS) {
      partial[lane] += partial[lane + half * COLUMNS];
    }
  }
  if (lane < COLUMNS && inside) {
    activations[job.out + row * job.out_stride + column] = job.factor * partial[lane];
  }
}
