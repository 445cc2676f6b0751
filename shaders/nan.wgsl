// What min, max and clamp leave open: with a NaN they may give the other number, and training would go
// on with it. These give the NaN. It is told by its bits, since compilers fold v != v to false.

fn is_nan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn min_or_nan(a: vec4f, b: vec4f) -> vec4f {
  return select(select(min(a, b), a, is_nan(a)), b, is_nan(b));
}

fn max_or_nan(a: vec4f, b: vec4f) -> vec4f {
  return select(select(max(a, b), a, is_nan(a)), b, is_nan(b));
}
