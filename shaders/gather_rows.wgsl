// Gathers rows of x by index: row r of the result is row r * group + index[r]. With GRADIENT, each
// row sums, in order, the upstream rows that were gathered from it.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  group: u32,
  x: u32,
  x_stride: u32,
  x_rows: u32,
  index: u32,
  index_stride: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

fn source(job: Job, row: u32) -> u32 {
  return row * job.group + u32(activations[job.index + row * job.index_stride].x);
}

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
//#if GRADIENT
  var value = vec4f(0.0);
  for (var taken = 0u; taken < job.x_rows; taken++) {
    if (source(job, taken) == row) {
      value += activations[job.x + taken * job.x_stride + column];
    }
  }
//#else
  let from_row = min(source(job, row), job.x_rows - 1u);
  let value = activations[job.x + from_row * job.x_stride + column];
//#endif
  activations[job.out + row * job.out_stride + column] = value;
}
