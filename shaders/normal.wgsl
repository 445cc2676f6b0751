// Normal numbers. Requires sine.wgsl.

// -log(u) of the uniform number u = (word + 1/2) / 2^32. A series keeps it accurate near u = 1.
fn exponential_from(words: vec2u) -> vec2f {
  let u = (vec2f(words) + 0.5) * 0x1p-32;
  let v = (vec2f(~words) + 0.5) * 0x1p-32; // 1 - u without its rounding
  let series = v * (1.0 + v * (0.5 + v * (1.0 / 3.0 + v * (0.25 + v * 0.2))));
  return select(-log(u), series, v < vec2f(0.03));
}

// Standard normal numbers by the Box-Muller transform.
fn normal_from(words: vec4u) -> vec4f {
  let radius = sqrt(2.0 * exponential_from(words.xy));
  let turns = vec2f(words.zw >> vec2u(8u)) * 0x1p-24;
  return radius.xyxy * sine_of_turns(turns.xyxy, vec4i(1, 1, 0, 0));
}
