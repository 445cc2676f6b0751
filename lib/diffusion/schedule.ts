/**
 * The noise schedule on the CPU: the variance-preserving SDE with β(t) linear from 0.1 to 20 (Song
 * et al., 2021, arXiv 2011.13456), as in the paper and its official code. A noised action is x_t =
 * α_t a + σ_t ε with α_t² + σ_t² = 1.
 *
 * @module
 */
const betaMin = 0.1;
const betaMax = 20;

function logAlpha(t: number): number {
  return -(t * t) * (betaMax - betaMin) / 4 - t * betaMin / 2;
}

/** Returns d ln α_t / dt, the factor f(t) of the drift (Eq. 7). */
export function logAlphaSlope(t: number): number {
  return -(t * (betaMax - betaMin) + betaMin) / 2;
}

/** Returns α_t, the factor of the clean action at time t. */
export function alpha(t: number): number {
  return Math.exp(logAlpha(t));
}

/** Returns σ_t, the standard deviation of the noise at time t. */
export function sigma(t: number): number {
  return Math.sqrt(-Math.expm1(2 * logAlpha(t)));
}

/** Returns λ_t = ln(α_t / σ_t), half the log signal-to-noise ratio. It decreases with t. */
export function logRatio(t: number): number {
  return logAlpha(t) - Math.log(sigma(t));
}

/** Inverse of {@linkcode logRatio}: returns t with λ_t = `lambda` (arXiv 2206.00927, D.4). */
export function timeOfLogRatio(lambda: number): number {
  // decay = −2 ln α_t, because α_t² = 1 / (1 + exp(−2 λ)).
  const decay = Math.log1p(Math.exp(-2 * lambda));
  return 2 * decay / (Math.sqrt(betaMin ** 2 + 2 * (betaMax - betaMin) * decay) + betaMin);
}
