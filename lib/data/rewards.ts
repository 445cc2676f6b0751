/**
 * Reward rules, which an algorithm chooses by task family.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import type { OfflineDataset } from "./dataset.ts";

/**
 * `return_range` and `episode_return_range`, for locomotion: r / (largest − smallest return) ·
 * 1000, with returns from {@linkcode returnRange} (SRPO) or {@linkcode episodeReturnRange} (IQL).
 * `minus_one`, for AntMaze: r − 1. `plus_minus_two`, for AntMaze in the code of Diffusion-QL and
 * CQL: 4 (r − ½). `none`, for Maze2D: r unchanged.
 */
export type RewardRule =
  | "return_range"
  | "episode_return_range"
  | "minus_one"
  | "plus_minus_two"
  | "none";

/** Rows after which SRPO's official code cuts an episode when it sums returns. */
const maxReturnRows = 1000;

/** The columns that {@linkcode returnRange} reads. */
export type RewardColumns = Pick<OfflineDataset, "rewards" | "terminals" | "transitions">;

/**
 * Returns the smallest and the largest return as SRPO's official code computes them (`dataset.py`):
 * it drops the rows with a timeout, cuts the rest at terminals or after 1000 rows, and ignores the
 * unfinished piece at the end. Because rows are dropped, the pieces drift from the true episodes.
 *
 * @returns Null if no piece is finished.
 */
export function returnRange(
  { rewards, terminals, transitions }: RewardColumns,
): { min: number; max: number } | null {
  let [min, max] = [Infinity, -Infinity];
  let [sum, rows] = [0, 0];
  for (const row of transitions) {
    sum += rewards[row]!;
    rows++;
    if (terminals[row] !== 0 || rows === maxReturnRows) {
      min = Math.min(min, sum);
      max = Math.max(max, sum);
      [sum, rows] = [0, 0];
    }
  }
  return min <= max ? { min, max } : null;
}

/**
 * Returns the smallest and the largest return as the official code of implicit Q-learning computes
 * them (`train_offline.py`): the sums over the transitions of each episode, including an unfinished
 * episode at the end. Null if there are no transitions.
 */
export function episodeReturnRange(
  { rewards, terminals, transitions }: RewardColumns,
): { min: number; max: number } | null {
  let [min, max] = [Infinity, -Infinity];
  let sum = 0;
  transitions.forEach((row, i) => {
    sum += rewards[row]!;
    const next = transitions[i + 1];
    if (next === row + 1 && terminals[row] === 0) return;
    min = Math.min(min, sum);
    max = Math.max(max, sum);
    sum = 0;
  });
  return min <= max ? { min, max } : null;
}

/**
 * Applies `rule` to the rewards of `data`, in float32 like the official code, and returns `[N]`.
 *
 * @throws {UserError} If the rule needs a range of returns and the data have none.
 */
export function shapeRewards(data: RewardColumns, rule: RewardRule): Float32Array {
  if (rule === "none") return data.rewards.slice();
  if (rule === "minus_one") return data.rewards.map((reward) => reward - 1);
  if (rule === "plus_minus_two") return data.rewards.map((reward) => 4 * (reward - 0.5));
  const range = rule === "return_range" ? returnRange(data) : episodeReturnRange(data);
  if (range === null || range.max === range.min) {
    throw new UserError(
      `rewards: rule ${rule} divides by the range of returns, but ` +
        (range === null
          ? data.transitions.length === 0
            ? "the data have no transitions"
            : "no episode in the data ends (no terminal, and fewer than 1000 transitions)"
          : `all returns are ${range.min}`) +
        "; choose another rule with --reward-rule",
    );
  }
  const divisor = Math.fround(range.max - range.min);
  return data.rewards.map((reward) => Math.fround(reward / divisor) * 1000);
}
