// Noise schedule of the variance-preserving diffusion (Song et al., 2021; Eq. 4):
// log alpha(t) = -(20 - 0.1) t^2 / 4 - 0.1 t / 2, sigma(t) = sqrt(1 - alpha(t)^2).

struct Schedule {
  alpha: f32,
  sigma: f32,
}

fn schedule(t: f32) -> Schedule {
  let log_alpha = -t * t * (19.9 / 4.0) - t * (0.1 / 2.0);
  // 1 - exp(2 log alpha) cancels at small t, where a series is accurate.
  let x = -2.0 * log_alpha;
  let series = x * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x / 24.0)));
  let variance = select(1.0 - exp(-x), series, x < 0.06);
  return Schedule(exp(log_alpha), sqrt(variance));
}
