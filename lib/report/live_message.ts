/**
 * Messages from a run to the live page.
 *
 * @module
 */

import type { Playback } from "../envs/playback.ts";

/** Progress of a stage. */
export interface LiveStatus {
  /** Name of the stage. */
  readonly stage: string;
  /** Completed steps of the stage. */
  readonly step: number;
  /** Total steps of the stage. */
  readonly total: number;
  /** Steps per second; null if unknown. */
  readonly stepsPerSecond: number | null;
  /** Estimated seconds of later stages; absent or null if there are none or they are unknown. */
  readonly laterSeconds?: number | null;
  /** Episodes of evaluations under way. */
  readonly evaluation?: { readonly done: number; readonly planned: number };
}

/** Description of the run, sent first. */
export interface LiveRun {
  /** Path of the run directory. */
  readonly name: string;
  /** One line about the run. */
  readonly description: string;
  /** The stages, in order. */
  readonly stages: readonly string[];
}

/** A recorded episode of the policy. */
export interface LiveEpisode extends Playback {
  /** Which policy it is, for the caption. */
  readonly caption: string;
}
