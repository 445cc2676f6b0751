// Forward diffusion (Eq. 4): out = alpha(t) x + sigma(t) z, one invocation per row. With DRAW, the
// noise z is drawn and stored; otherwise it is given. With GRADIENT, out = alpha(t) x, where x is
// the upstream gradient.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
//#if DRAW
  columns: u32,
  seed: u32,
  stream: u32,
//#endif
  x: u32,
  x_stride: u32,
  t: u32,
//#if !GRADIENT
  z: u32,
  z_stride: u32,
//#endif
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
  let row = work.y * WORKGROUP + lane;
  if (row >= job.rows) {
    return;
  }
  let at = schedule(activations[job.t + row].x);
  for (var column = 0u; column < job.width; column++) {
    let x = activations[job.x + row * job.x_stride + column];
//#if GRADIENT
    let value = at.alpha * x;
//#else
//#if DRAW
    let words = random_words(job.seed, job.stream, step_.number, row * job.width + column);
    let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
    let z = select(vec4f(0.0), normal_from(words), entry < vec4u(job.columns));
    activations[job.z + row * job.z_stride + column] = z;
//#else
    let z = activations[job.z + row * job.z_stride + column];
//#endif
    let value = at.alpha * x + at.sigma * z;
//#endif
    activations[job.out + row * job.out_stride + column] = value;
  }
}
