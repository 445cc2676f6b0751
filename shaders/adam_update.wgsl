// Adam (AdamW with weight decay) for vec4 `i` of a family of networks with gradient `g`. If the
// family has target networks, it also updates their exponential moving average. The host computes
// the step's scalars in double precision. A kernel that includes this file declares the fields used
// in its Job.
fn update(job: Job, i: u32, g: vec4f) {
  let mean = job.beta1 * parameters[job.mean + i] + job.one_minus_beta1 * g;
  let square = job.beta2 * parameters[job.square + i] + job.one_minus_beta2 * g * g;
  let step_size = mean / (sqrt(square) * scalar(job.correction) + job.epsilon);
  let moved = parameters[job.parameter + i] * scalar(job.decay) - scalar(job.rate) * step_size;
  parameters[job.mean + i] = mean;
  parameters[job.square + i] = square;
  parameters[job.parameter + i] = moved;
  let average_rate = scalar(job.average_rate);
  if (average_rate > 0.0) {
    let average = parameters[job.average + i];
    parameters[job.average + i] = average_rate * moved + (1.0 - average_rate) * average;
  }
}
