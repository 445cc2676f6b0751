// Uniform random numbers in [low, high), one for each row.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  low: f32,
  high: f32,
  seed: u32,
  stream: u32,
  out: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let row = work.y * WORKGROUP + lane;
  if (row >= job.rows) {
    return;
  }
  let words = random_words(job.seed, job.stream, step_.number, row / 4u);
  let u = uniform_from(words)[row % 4u];
  activations[job.out + row] = vec4f(u * (job.high - job.low) + job.low, 0.0, 0.0, 0.0);
}
