/**
 * Maps this project's environment ids to the ids of equivalent Gymnasium environments.
 *
 * @module
 */
import { environments } from "../ids.ts";

/**
 * Gymnasium id by simulated task. Only these have D4RL's observations, actions and rewards in
 * Gymnasium.
 */
const counterparts: Readonly<Record<string, string>> = {
  hopper: "Hopper-v4",
  walker2d: "Walker2d-v4",
  halfcheetah: "HalfCheetah-v4",
};

/** Returns the Gymnasium id equivalent to a built-in environment; null if there is none. */
export function gymnasiumId(id: string): string | null {
  return counterparts[environments.get(id)?.task ?? ""] ?? null;
}

/** Explains why Gymnasium has no equivalent of a built-in environment. */
export function whyNotInGymnasium(id: string): string {
  return environments.get(id)?.task === "ant"
    ? "Gymnasium's Ant-v4 has 27 observation entries and D4RL's ant has 111"
    : "the server has D4RL's mazes only if the d4rl package is installed; the mazes of " +
      "gymnasium-robotics have different observations and dynamics";
}

/** The environments of this project that Gymnasium has without further packages, as text. */
export const gymnasiumCoverage: string = `${
  [...new Set([...environments].map(([, { task }]) => task))]
    .filter((task) => task in counterparts).join(", ")
} (also by their D4RL names) and Ant-v4`;
