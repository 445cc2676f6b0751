import type { Profile } from "./mujoco/mjcf.ts";

/** The task and physics behind an environment id. */
export interface EnvironmentId {
  /** Simulated task, for example `hopper`, `antmaze-medium` or `maze2d-umaze-dense`. */
  readonly task: string;
  /** Physics used for the published results of this id. */
  readonly profile: Profile;
}

const ROBOTS = { hopper: "Hopper", walker2d: "Walker2d", halfcheetah: "HalfCheetah", ant: "Ant" };

const DATA = ["random", "medium", "medium-replay", "medium-expert", "expert", "full-replay"];

const ANTMAZES = ["umaze", "umaze-diverse", ...["medium", "large"].flatMap(playAndDiverse)];

function playAndDiverse(maze: string): string[] {
  return [`${maze}-play`, `${maze}-diverse`];
}

function* everyId(): Generator<[string, EnvironmentId]> {
  for (const [robot, gymName] of Object.entries(ROBOTS)) {
    yield [robot, { task: robot, profile: "mjpy" }];
    for (const data of DATA) yield [`${robot}-${data}-v2`, { task: robot, profile: "mjpy" }];
    yield [`${gymName}-v2`, { task: robot, profile: "mjpy" }];
    yield [`${gymName}-v3`, { task: robot, profile: "mjpy" }];
    yield [`${gymName}-v4`, { task: robot === "ant" ? "ant-v4" : robot, profile: "mj22" }];
  }
  for (const [maze, version] of [["open", 0], ["umaze", 1], ["medium", 1], ["large", 1]]) {
    for (const task of [`maze2d-${maze}`, `maze2d-${maze}-dense`]) {
      yield [`${task}-v${version}`, { task, profile: "mjpy" }];
    }
  }
  for (const name of ANTMAZES) {
    const maze = name.split("-")[0];
    yield [`antmaze-${name}-v2`, { task: `antmaze-${maze}`, profile: "mjpy" }];
  }
}

/**
 * All built-in environments by id: robots (`hopper`), gym ids (`Hopper-v4`) and D4RL task names
 * (`hopper-medium-v2`, `maze2d-umaze-dense-v1`, `antmaze-medium-play-v2`).
 */
export const environments: ReadonlyMap<string, EnvironmentId> = new Map(everyId());
