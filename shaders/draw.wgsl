// Random numbers, drawn anew at each step: uniform in [low, high), or standard normal with NORMAL.
// Requires random.wgsl and step.wgsl.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  columns: u32,
//#if !NORMAL
  low: f32,
  high: f32,
//#endif
  seed: u32,
  stream: u32,
  first: u32, // position of the first number in the stream, in vec4s
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
  let words = random_words(job.seed, job.stream, step_.number, job.first + index);
//#if NORMAL
  let value = normal_from(words);
//#else
  let value = job.low + (job.high - job.low) * uniform_from(words);
//#endif
  let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
  activations[job.out + row * job.out_stride + column] =
    select(vec4f(0.0), value, entry < vec4u(job.columns));
}
