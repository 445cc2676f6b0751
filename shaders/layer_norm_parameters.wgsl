// Gradients of layer normalization's gain and shift: sums over the rows of dy * xhat and dy. A
// workgroup handles four vec4 columns; 64 invocations share a column and reduce in a fixed tree
// order. On a software GPU (SOFTWARE) two share it, which need one barrier.

const COLUMNS = 4u;
//#if SOFTWARE
const SHARES = 2u;
//#else
const SHARES = 64u;
//#endif

struct Job {
  rows: u32,
  width: u32, // in vec4s
  upstream: u32,
  upstream_stride: u32,
  normalized: u32,
  normalized_stride: u32,
  gain: u32,
  shift: u32,
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

var<workgroup> gains: array<vec4f, COLUMNS * SHARES>;
var<workgroup> shifts: array<vec4f, COLUMNS * SHARES>;

@compute @workgroup_size(COLUMNS * SHARES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = worklist[group.x + group.y * 65535u];
  let job = jobs[work.x];
  let wanted = work.y * COLUMNS + lane % COLUMNS;
  let column = min(wanted, job.width - 1u);
  var gain = vec4f(0.0);
  var shift = vec4f(0.0);
  for (var row = lane / COLUMNS; row < job.rows; row += SHARES) {
    let g = activations[job.upstream + row * job.upstream_stride + column];
    gain += g * activations[job.normalized + row * job.normalized_stride + column];
    shift += g;
  }
  gains[lane] = gain;
  shifts[lane] = shift;
  for (var half = SHARES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half * COLUMNS) {
      gains[lane] += gains[lane + half * COLUMNS];
      shifts[lane] += shifts[lane + half * COLUMNS];
    }
  }
  if (lane < COLUMNS && wanted < job.width) {
    activations[job.gain + column] = gains[lane];
    activations[job.shift + column] = shifts[lane];
  }
}
