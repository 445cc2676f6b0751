// Gaussian Fourier features of the diffusion time: the sines, then the cosines, of 2 pi t W. With
// DRAW, the times are drawn uniformly from [low, high) and stored; otherwise they are given.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // of the result, in vec4s
  frequencies: u32, // number of frequencies
  w: u32,
//#if DRAW
  low: f32,
  high: f32,
  seed: u32,
  stream: u32,
//#endif
  t: u32,
  out: u32,
  out_stride: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

// Returns t W in turns for a column of features; it reaches hundreds.
fn turns_of(job: Job, column: u32, t: f32) -> vec4f {
  var turns = vec4f(0.0);
  for (var i = 0u; i < 4u; i++) {
    let frequency = (4u * column + i) % job.frequencies;
    turns[i] = t * parameters[job.w + frequency / 4u][frequency % 4u];
  }
  return turns;
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
//#if DRAW
  let words = random_words(job.seed, job.stream, step_.number, row / 4u);
  let t = uniform_from(words)[row % 4u] * (job.high - job.low) + job.low;
  if (column == 0u) {
    activations[job.t + row] = vec4f(t, 0.0, 0.0, 0.0);
  }
//#else
  let t = activations[job.t + row].x;
//#endif
  let entries = 4u * column + vec4u(0u, 1u, 2u, 3u);
  let quarters = select(vec4i(0), vec4i(1), entries >= vec4u(job.frequencies));
  let features = sine_of_turns(turns_of(job, column, t), quarters);
  activations[job.out + row * job.out_stride + column] =
    select(vec4f(0.0), features, entries < vec4u(2u * job.frequencies));
}
