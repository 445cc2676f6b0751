/**
 * What Gymnasium calls the environments of this project, where it has the like of them.
 *
 * @module
 */
import { environments } from "../ids.ts";

/** By simulated task. Only these have D4RL's observations, actions and rewards in Gymnasium. */
const counterparts: Readonly<Record<string, string>> = {
  hopper: "Hopper-v4",
  walker2d: "Walker2d-v4",
  halfcheetah: "HalfCheetah-v4",
};

/** The id of Gymnasium's environment that stands for a built-in one; null where there is none. */
export function gymnasiumId(id: string): string | null {
  return counterparts[environments.get(id)?.task ?? ""] ?? null;
}

/** Why Gymnasium has nothing that stands for a built-in environment. */
export function whyNotInGymnasium(id: string): string {
  return environments.get(id)?.task === "ant"
    ? "Gymnasium's Ant-v4 shows 27 observation entries, D4RL's ant 111"
    : "D4RL's mazes come with the package d4rl, which the server takes them from where it is " +
      "installed; those of gymnasium-robotics have other observations and dynamics";
}

/** The ids of this project for which a plain Gymnasium has something, as text. */
export const gymnasiumCoverage: string = `${
  [...new Set([...environments].map(([, { task }]) => task))]
    .filter((task) => task in counterparts).join(", ")
} (under D4RL's names too) and Ant-v4`;
