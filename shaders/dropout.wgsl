// Dropout: out = x keep / (1 - p). The mask is drawn (DRAW) or given. The backward pass applies the
// same kernel to the upstream gradient.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  scale: f32, // 1 / (1 - p)
//#if DRAW
  highest: u32, // (1 - p) 2^32 - 1
  seed: u32,
  stream: u32,
//#else
  mask: u32,
  mask_stride: u32,
//#endif
  x: u32,
  x_stride: u32,
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
//#if DRAW
  let words = random_words(job.seed, job.stream, step_.number, row * job.width + column);
  let keep = keep_from(words, job.highest);
//#else
  let keep = activations[job.mask + row * job.mask_stride + column];
//#endif
  let x = activations[job.x + row * job.x_stride + column];
  activations[job.out + row * job.out_stride + column] = x * keep * job.scale;
}
