// Activations and their derivatives, stable over the whole range of f32. Requires nan.wgsl.

fn relu(x: vec4f) -> vec4f {
  return max_or_nan(x, vec4f(0.0));
}

fn tanh_stable(x: vec4f) -> vec4f {
  // Beyond 10 the result rounds to 1, and some drivers overflow.
  return select(tanh(clamp(x, vec4f(-10.0), vec4f(10.0))), x, is_nan(x));
}

// Mish: x tanh(softplus(x)) = x n / (n + 2) with e = exp(x), n = e (e + 2).
fn mish(x: vec4f) -> vec4f {
  let e = exp(min(x, vec4f(20.0)));
  let n = e * (e + 2.0);
  return select(x * n / (n + 2.0), x, x > vec4f(20.0));
}

fn mish_derivative(x: vec4f) -> vec4f {
  let e = exp(min(x, vec4f(20.0)));
  let n = e * (e + 2.0);
  let d = 1.0 / (n + 2.0);
  return select(n * d + x * 4.0 * e * (1.0 + e) * d * d, vec4f(1.0), x > vec4f(20.0));
}

// log(1 + u) for 0 <= u <= 1, without the rounding error of 1 + u.
fn log_one_plus(u: vec4f) -> vec4f {
  let series = u * (1.0 - u * (0.5 - u * (1.0 / 3.0 - u * (0.25 - u * 0.2))));
  return select(log(1.0 + u), series, u < vec4f(0.03));
}

// Returns x above 20, as PyTorch does.
fn softplus(x: vec4f) -> vec4f {
  return select(max(x, vec4f(0.0)) + log_one_plus(exp(-abs(x))), x, x > vec4f(20.0));
}

fn softplus_derivative(x: vec4f) -> vec4f {
  let e = exp(-abs(x));
  let sigmoid = select(e, vec4f(1.0), x > vec4f(0.0)) / (1.0 + e);
  return select(sigmoid, vec4f(1.0), x > vec4f(20.0));
}
