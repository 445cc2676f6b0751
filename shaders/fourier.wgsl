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

fn feature(job: Job, entry: u32, t: f32) -> f32 {
  if (entry >= 2u * job.frequencies) {
    return 0.0;
  }
  let i = entry % job.frequencies;
  // The phase reaches hundreds of turns. Whole turns are removed before the multiplication by 2 pi.
  let turns = t * parameters[job.w + i / 4u][i % 4u];
  let phase = 6.283185307179586 * (turns - round(turns));
  return select(cos(phase), sin(phase), entry < job.frequencies);
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
  let entry = column * 4u;
  activations[job.out + row * job.out_stride + column] = vec4f(
    feature(job, entry, t),
    feature(job, entry + 1u, t),
    feature(job, entry + 2u, t),
    feature(job, entry + 3u, t),
  );
}
