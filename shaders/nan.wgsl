// Minimum and maximum that propagate NaN. WGSL's min, max and clamp may return the other operand,
// which would hide a diverged training run. NaN is detected by its bits, because compilers fold
// v != v to false.

fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn min_or_nan(a: vec4f, b: vec4f) -> vec4f {
  return select(select(min(a, b), a, is_nan(a)), b, is_nan(b));
}

fn max_or_nan(a: vec4f, b: vec4f) -> vec4f {
  return select(select(max(a, b), a, is_nan(a)), b, is_nan(b));
}
