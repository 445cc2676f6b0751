// Values whose last bits depend on the adapter, its driver and the processor: fusing of a product
// and a sum, division, and the elementary functions. Their hash is part of the fingerprint.

@group(0) @binding(0) var<storage, read_write> values: array<f32>;

const functions = 12u;

/// A number in [0, 1) with 24 random bits (the finalizer of MurmurHash3).
fn unit(index: u32) -> f32 {
  var h = index * 0x9e3779b9u + 1u;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return f32((h ^ (h >> 16u)) >> 8u) * 0x1p-24;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = unit(2u * id.x) + 0x1p-24;
  let y = unit(2u * id.x + 1u) + 0x1p-24;
  let wide = 40.0 * x - 20.0;
  var sum = 0.0;
  for (var i = 0u; i < 16u; i++) {
    sum = sum * x + unit(id.x + i) * y;
  }
  let start = functions * id.x;
  values[start] = x * y + wide;
  values[start + 1u] = fma(x, y, wide);
  values[start + 2u] = wide / y;
  values[start + 3u] = sqrt(x);
  values[start + 4u] = inverseSqrt(y);
  values[start + 5u] = exp(wide);
  values[start + 6u] = log(x);
  values[start + 7u] = sin(wide);
  values[start + 8u] = cos(wide);
  values[start + 9u] = tanh(wide);
  values[start + 10u] = pow(y, wide);
  values[start + 11u] = sum;
}
