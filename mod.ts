/**
 * SRPO for WebGPU: an autodiff engine whose training steps are described once, compiled to a flat
 * list of compute dispatches and replayed, and Score Regularized Policy Optimization
 * (arXiv 2310.07297) composed from it.
 *
 * @module
 */
export { UserError } from "./lib/errors.ts";
