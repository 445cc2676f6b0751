// Sines and cosines, right to 1.2e-7. WGSL's own may be wrong by 2^-11, and those of SwiftShader,
// the software adapter of Chromium, are wrong by 2e-4. The fits are those of Cephes (Moshier, 1989).

// sin(x + quarters pi / 2) for x in [-pi / 4, pi / 4].
fn sine_in_quarter(x: vec4f, quarters: vec4i) -> vec4f {
  let square = x * x;
  let odd = 8.3321608736e-3 - 1.9515295891e-4 * square;
  let sine = x + x * square * (odd * square - 0.16666654611);
  let even = 2.443315711809948e-5 * square - 1.388731625493765e-3;
  let cosine = 1.0 + square * (square * (even * square + 0.04166664568298827) - 0.5);
  let value = select(sine, cosine, (quarters & vec4i(1)) == vec4i(1));
  return select(value, -value, (quarters & vec4i(2)) == vec4i(2));
}

// sin(2 pi turns + quarters pi / 2). Nothing is rounded before the multiplication by pi / 2.
fn sine_of_turns(turns: vec4f, quarters: vec4i) -> vec4f {
  let nearest = round(4.0 * turns);
  return sine_in_quarter(
    1.5707963267948966 * (4.0 * turns - nearest),
    vec4i(nearest) + quarters,
  );
}
