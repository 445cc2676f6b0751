// Layer normalization after dropout: y = gain * xhat + shift with xhat = (x' - mean) / deviation
// and x' = x keep / (1 - p). With GRADIENT, the gradient with respect to x. Dropout comes first, as
// in the behavior model's residual blocks; its mask is drawn (DRAW), given (MASK) or absent. A
// workgroup handles eight rows. Eight invocations share a row; on a software GPU (SOFTWARE) each
// handles one alone, without barriers.

//#if SOFTWARE
const lanes_of_row = 1u;
//#else
const lanes_of_row = 8u;
//#endif
const WORKGROUP = 8u * lanes_of_row;

struct Job {
  rows: u32,
  columns: u32,
//#if DRAW
  highest: u32,
  seed: u32,
  stream: u32,
//#endif
//#if MASK
  mask: u32,
  mask_stride: u32,
//#endif
//#if DRAW || MASK
  scale: f32,
//#endif
  gain: u32,
//#if GRADIENT
  upstream: u32,
  upstream_stride: u32,
//#else
  x: u32,
  x_stride: u32,
  shift: u32,
  epsilon: f32,
//#endif
//#if ADD
  addend: u32,
  addend_stride: u32,
//#endif
  normalized: u32,
  normalized_stride: u32,
  deviation: u32, // one vec4 per row: 1 / deviation, 0, 0, 0
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

//#if SOFTWARE
fn row_sum(value: vec2f, lane: u32) -> vec2f {
  return value;
}
//#else
var<workgroup> partial: array<vec2f, WORKGROUP>;

// Sums over the invocations of a row, in a fixed order.
fn row_sum(value: vec2f, lane: u32) -> vec2f {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  let first = lane - lane % lanes_of_row;
  var total = vec2f(0.0);
  for (var i = 0u; i < lanes_of_row; i++) {
    total += partial[first + i];
  }
  return total;
}
//#endif

fn keep_scale(job: Job, row: u32, column: u32) -> vec4f {
//#if DRAW
  let index = row * ((job.columns + 3u) / 4u) + column;
  return keep_from(random_words(job.seed, job.stream, step_.number, index), job.highest) * job.scale;
//#elif MASK
  return activations[job.mask + row * job.mask_stride + column] * job.scale;
//#else
  return vec4f(1.0);
//#endif
}

// 1 in columns of the matrix, 0 in the padding.
fn inside(job: Job, column: u32) -> vec4f {
  let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(0.0), vec4f(1.0), entry < vec4u(job.columns));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let wanted_row = work.y * (WORKGROUP / lanes_of_row) + lane / lanes_of_row;
  let row = min(wanted_row, job.rows - 1u);
  let width = (job.columns + 3u) / 4u;
  let first = lane % lanes_of_row;
  let count = f32(job.columns);

//#if GRADIENT
  var sums = vec2f(0.0);
  for (var c = first; c < width; c += lanes_of_row) {
    let g = activations[job.upstream + row * job.upstream_stride + c] * parameters[job.gain + c];
    let n = activations[job.normalized + row * job.normalized_stride + c];
    sums += vec2f(dot(g, vec4f(1.0)), dot(g, n));
  }
  let means = row_sum(sums, lane) / count;
  let inverse = activations[job.deviation + row].x;
  for (var c = first; c < width; c += lanes_of_row) {
    let g = activations[job.upstream + row * job.upstream_stride + c] * parameters[job.gain + c];
    let n = activations[job.normalized + row * job.normalized_stride + c];
    var value = inverse * (g - means.x - n * means.y) * keep_scale(job, row, c) * inside(job, c);
//#if ADD
    value += activations[job.addend + row * job.addend_stride + c];
//#endif
    if (wanted_row < job.rows) {
      activations[job.out + row * job.out_stride + c] = value;
    }
  }
//#else
  var sum = 0.0;
  for (var c = first; c < width; c += lanes_of_row) {
    sum += dot(activations[job.x + row * job.x_stride + c] * keep_scale(job, row, c), vec4f(1.0));
  }
  let mean = row_sum(vec2f(sum, 0.0), lane).x / count;
  var squares = 0.0;
  for (var c = first; c < width; c += lanes_of_row) {
    let x = activations[job.x + row * job.x_stride + c] * keep_scale(job, row, c);
    let d = (x - mean) * inside(job, c);
    squares += dot(d, d);
  }
  let inverse = 1.0 / sqrt(row_sum(vec2f(squares, 0.0), lane).x / count + job.epsilon);
  for (var c = first; c < width; c += lanes_of_row) {
    let x = activations[job.x + row * job.x_stride + c] * keep_scale(job, row, c);
    let n = (x - mean) * inverse * inside(job, c);
    if (wanted_row < job.rows) {
      activations[job.normalized + row * job.normalized_stride + c] = n;
      activations[job.out + row * job.out_stride + c] =
        n * parameters[job.gain + c] + parameters[job.shift + c];
    }
  }
  if (first == 0u && wanted_row < job.rows) {
    activations[job.deviation + row] = vec4f(inverse, 0.0, 0.0, 0.0);
  }
//#endif
}
