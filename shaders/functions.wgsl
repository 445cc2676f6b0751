// Functions used in the table of entrywise operations. Requires nan.wgsl and sine.wgsl.

// 1 / (1 + exp(-x)) without overflow.
fn sigmoid(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  return select(e, vec4f(1.0), x > vec4f(0.0)) / (1.0 + e);
}

// sin(x + quarters pi / 2). Multiples of pi / 2 are subtracted in two parts, of which multiples of the
// first are exact.
fn sine_from(x: vec4f, quarters: i32) -> vec4f {
  let nearest = round(x * 0.6366197723675814);
  let rest = (x - nearest * 1.5703125) - nearest * 0.0004838267948966192;
  return sine_in_quarter(rest, vec4i(nearest) + quarters);
}

fn sine(x: vec4f) -> vec4f {
  return sine_from(x, 0);
}

fn cosine(x: vec4f) -> vec4f {
  return sine_from(x, 1);
}

// Standard normal cumulative distribution: 1 - erfc(x / sqrt(2)) / 2. It uses a fit in
// 1 / (1 + z / 2) with a relative error of 1.2e-7, also in the tails.
fn normal_cdf(x: vec4f) -> vec4f {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.5 * z);
  var fit = 1.48851587 + t * (-0.82215223 + t * 0.17087277);
  fit = 0.27886807 + t * (-1.13520398 + t * fit);
  fit = 0.09678418 + t * (-0.18628806 + t * fit);
  fit = 1.00002368 + t * (0.37409196 + t * fit);
  let tail = 0.5 * t * exp(-z * z - 1.26551223 + t * fit);
  return select(tail, 1.0 - tail, x > vec4f(0.0));
}

fn gelu_derivative(x: vec4f) -> vec4f {
  return normal_cdf(x) + x * 0.3989422804014327 * exp(-0.5 * x * x);
}

// The fraction of the gradient of min(a, b) that goes to a, or of max(a, b) that goes to b: one
// half if they are equal.
fn share_of_smaller(a: vec4f, b: vec4f) -> vec4f {
  return select(select(vec4f(0.0), vec4f(0.5), a == b), vec4f(1.0), a < b);
}
