/**
 * Sweeps: variants of policy extraction that differ in its temperature β, its weighting ω(t) or its
 * baseline (the paper's Figures 8 and 15). All of them climb one critic and are held by one behavior
 * model, so they are trained side by side.
 *
 * @module
 */
import type { Hyperparameters, Weighting } from "./hyperparameters.ts";

/** The lists that are swept; an absent one stays as the hyperparameters say. */
export interface Sweep {
  /** Temperatures β. */
  readonly betas?: readonly number[];
  /** Weightings ω(t). */
  readonly weightings?: readonly Weighting[];
  /** Whether the noise is subtracted from its prediction (Eq. 15). */
  readonly baselines?: readonly boolean[];
}

/** One point of a sweep. */
export interface Variant {
  /** Names it among the sweep's, for example `beta-0.02-weighting-constant`. */
  readonly name: string;
  /** The hyperparameters it is trained with. */
  readonly hyperparameters: Hyperparameters;
}

/**
 * All combinations of a sweep's lists, β slowest; none where nothing is swept.
 *
 * @param h What all of them share.
 */
export function variantsOf(h: Hyperparameters, sweep: Sweep): Variant[] {
  const { betas, weightings, baselines } = sweep;
  if (!betas && !weightings && !baselines) return [];
  return (betas ?? [h.beta]).flatMap((beta) =>
    (weightings ?? [h.weighting]).flatMap((weighting) =>
      (baselines ?? [h.subtractBaseline]).map((subtractBaseline) => ({
        name: [
          ...(betas ? [`beta-${beta}`] : []),
          ...(weightings ? [`weighting-${weighting}`] : []),
          ...(baselines ? [`baseline-${subtractBaseline}`] : []),
        ].join("-"),
        hyperparameters: { ...h, beta, weighting, subtractBaseline },
      }))
    )
  );
}
