// Moves the entries of a tensor. With RESHAPE, the entries keep their order in rows of another
// length. Otherwise it copies the columns from `first` on, with zeros outside the input.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  columns: u32,
  x: u32,
  x_stride: u32,
  x_columns: u32,
//#if !RESHAPE
  first: u32, // modulo 2^32, since it may be negative
//#endif
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

fn entry(job: Job, row: u32, column: u32) -> f32 {
//#if RESHAPE
  let index = row * job.columns + column;
  let x_row = index / job.x_columns;
  let x_column = index % job.x_columns;
//#else
  let x_row = row;
  let x_column = column + job.first;
//#endif
  if (column >= job.columns || x_column >= job.x_columns) {
    return 0.0;
  }
  return activations[job.x + x_row * job.x_stride + x_column / 4u][x_column % 4u];
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
  activations[job.out + row * job.out_stride + column] = vec4f(
    entry(job, row, 4u * column),
    entry(job, row, 4u * column + 1u),
    entry(job, row, 4u * column + 2u),
    entry(job, row, 4u * column + 3u),
  );
}
