// Common part of the matrix products: the job record, the buffers and the epilogue that stores a
// result. Precedes matmul.wgsl.

struct Job {
  rows: u32,
  columns: u32,
  depth: u32, // NT: with padding, which is zero in both factors
  down_first: u32, // 1: consecutive tiles lie below each other, 0: beside each other
  inner_tiles: u32, // tiles in that direction
  a: u32,
  a_stride: u32,
  b: u32,
  b_stride: u32,
  members: u32, // networks whose products are summed
  a_member: u32, // distance between their factors
  b_member: u32,
  out: u32,
  out_stride: u32,
//#if NT
  bias: u32,
  floor: f32, // 0 for ReLU, otherwise the lowest f32
//#endif
//#if THIN
  squash: u32, // 1: tanh
//#endif
//#if SAVE || MISH_DERIVATIVE || TANH_DERIVATIVE || RELU_DERIVATIVE
  saved: u32,
  saved_stride: u32,
//#endif
//#if ADD
  addend: u32,
  addend_stride: u32,
//#endif
//#if TN
  sums: u32, // column sums of B
//#endif
//#if UPDATE
  gradient: u32, // the family's gradient, in the layout of the parameters
  parameter: u32,
  mean: u32,
  square: u32,
  rate: u32, // scalar: learning rate / (1 - beta1^k)
  correction: u32, // scalar: 1 / sqrt(1 - beta2^k)
  decay: u32, // scalar: 1 - learning rate * weight decay
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  epsilon: f32,
  average: u32,
  average_rate: u32, // scalar: rate of the target networks' moving average; 0 for none
//#endif
}

@group(0) @binding(0) var<storage, read> worklist: array<vec2u>;
@group(0) @binding(1) var<storage, read> jobs: array<Job>;
//#if UPDATE
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4f>;
//#elif !TN
@group(0) @binding(2) var<storage, read> parameters: array<vec4f>;
//#endif
@group(0) @binding(3) var<storage, read_write> activations: array<vec4f>;

//#if TN
// Stores a gradient. With UPDATE, it also updates the parameters with it.
fn store_gradient(job: Job, place: u32, value: vec4f) {
  activations[place] = value;
//#if UPDATE
  update(job, place - job.gradient, value);
//#endif
}
//#endif

//#if !TN
// Stores four entries of a row after the epilogue.
fn store(job: Job, row: u32, column: u32, total: vec4f) {
  var value = total;
//#if ADD
  value += activations[job.addend + row * job.addend_stride + column];
//#endif
//#if SAVE
  activations[job.saved + row * job.saved_stride + column] = value;
//#endif
//#if TANH
  value = tanh_stable(value);
//#elif MISH
  value = mish(value);
//#elif THIN
  // Computes both activations: with so few outputs, this costs less than a separate dispatch.
  value = select(max_or_nan(value, vec4f(job.floor)), tanh_stable(value), job.squash == 1u);
//#elif NT
  value = max_or_nan(value, vec4f(job.floor));
//#endif
//#if RELU_DERIVATIVE
  let output = activations[job.saved + row * job.saved_stride + column];
  value = select(vec4f(0.0), value, output > vec4f(0.0));
//#elif TANH_DERIVATIVE
  let output = activations[job.saved + row * job.saved_stride + column];
  value *= 1.0 - output * output;
//#elif MISH_DERIVATIVE
  value *= mish_derivative(activations[job.saved + row * job.saved_stride + column]);
//#endif
  let entry = column * 4u + vec4u(0u, 1u, 2u, 3u);
  value = select(vec4f(0.0), value, entry < vec4u(job.columns));
  activations[job.out + row * job.out_stride + column] = value;
}
//#endif
