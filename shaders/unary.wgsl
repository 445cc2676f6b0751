// An activation of every entry, or with DERIVATIVE the upstream gradient times its derivative. ReLU
// and tanh take their derivative from the output, mish and softplus from the input.

override WORKGROUP = 64u;

struct Job {
  rows: u32,
  width: u32, // in vec4s
  columns: u32,
  x: u32,
  x_stride: u32,
//#if DERIVATIVE
  upstream: u32,
  upstream_stride: u32,
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
  let index = work.y * WORKGROUP + lane;
  let row = index / job.width;
  let column = index % job.width;
  if (row >= job.rows) {
    return;
  }
  let x = activations[job.x + row * job.x_stride + column];
//#if DERIVATIVE
  let upstream = activations[job.upstream + row * job.upstream_stride + column];
//#if RELU
  var value = select(vec4f(0.0), upstream, x > vec4f(0.0));
//#elif TANH
  var value = upstream * (1.0 - x * x);
//#elif MISH
  var value = upstream * mish_derivative(x);
//#elif SOFTPLUS
  var value = upstream * softplus_derivative(x);
//#endif
//#else
//#if RELU
  var value = relu(x);
//#elif TANH
  var value = tanh_stable(x);
//#elif MISH
  var value = mish(x);
//#elif SOFTPLUS
  var value = softplus(x);
//#endif
//#endif
  // softplus(0) is not 0: the padding must stay so.
  let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
  value = select(vec4f(0.0), value, entry < vec4u(job.columns));
  activations[job.out + row * job.out_stride + column] = value;
}
