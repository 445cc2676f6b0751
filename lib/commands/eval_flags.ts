/**
 * The flags of `eval`.
 *
 * @module
 */
import { algorithms } from "../algorithms/registry.ts";
import { maxEpisodes, maxEpisodeSeed } from "../envs/seeds.ts";
import { fqeFlags } from "./eval_fqe.ts";
import {
  choice,
  type Flag,
  type FlagTable,
  type FlagValues,
  integer,
  text,
  toggle,
} from "./flags.ts";

/** All actors of all algorithms. */
const everyActor = [...algorithms.values()].flatMap(({ actors }) => actors);

/** The command line of `eval`. */
export const evalCommand = {
  name: "eval",
  summary:
    "Plays episodes with a trained policy and reports their returns and D4RL score, or estimates " +
    "its return from data.",
  positionals: [{
    name: "run",
    help:
      "A run directory, or a .safetensors file with an actor (docs/policies.md): net.0.weight, " +
      "net.0.bias, net.2.weight, …, with ReLU between layers and tanh at the output unless its " +
      "metadata say otherwise",
  }],
  flags: {
    task: text("Environment: a D4RL task or another environment id of the server", {
      valueName: "TASK",
      shown: "the run's task, or the one in the file's metadata",
    }),
    env: text("Environment id, if it is not a D4RL task, for example Pendulum-v1", {
      valueName: "ID",
    }),
    episodes: integer("Number of episodes; 0 plays none, for --fqe", {
      max: maxEpisodes,
      fallback: 20,
    }),
    seed: integer("Selects the episodes' seeds, which never coincide with training seeds", {
      max: maxEpisodeSeed,
      fallback: 0,
    }),
    server: text(
      "Environment server: wasm (built in, started as a separate process), python (bridge/), or " +
        "the URL of a running server",
      { valueName: "wasm|python|ws://…", shown: "wasm, or the server recorded with the policy" },
    ),
    token: text("Token of a running server, if its URL does not contain it", {
      valueName: "TOKEN",
    }),
    profile: choice("Physics of the built-in server", ["mjpy", "mj22"], {
      shown: "the one behind the task's published results",
    }),
    policy: choice(
      `Actor of the run. ${actorsText()}`,
      [...new Set(everyActor.flatMap(({ name, formerName }) => [name, formerName ?? name]))],
      { shown: "the algorithm's own" },
    ),
    ...optionFlags(),
    ...fqeFlags,
    retry: integer("Number of times to replay a lost server's episodes on a new server", {
      max: 1000,
      fallback: 0,
    }),
    record: text(
      "Write the simulator's positions (qpos) at each step to this safetensors file, as " +
        "episode.0.qpos [steps + 1, positions], …",
      { valueName: "FILE" },
    ),
    video: text(
      "Write a video of the first episode: an .mp4 file, or a folder of numbered PNG files",
      { valueName: "FILE.mp4|DIR" },
    ),
    json: toggle("Print one JSON object as the last line"),
  },
} as const;

/** Describes each algorithm's actors for `--help`. */
function actorsText(): string {
  return [...algorithms.values()].map(({ title, actors }) =>
    `${title}: ${actors.map(({ name, help }) => `${name} (${help})`).join(", ")}`
  ).join(". ");
}

/** Returns a flag for every option of every actor. Options with the same name share a flag. */
function optionFlags(): Record<string, Flag<number | undefined>> {
  const options = everyActor.flatMap(({ options }) => Object.entries(options));
  return Object.fromEntries(
    [...Map.groupBy(options, ([name]) => name)].map(([name, entries]) => {
      const of = entries.map(([, option]) => option);
      const help = of.map(({ help, fallback }, i) =>
        `${i === 0 ? help : help[0]!.toLowerCase() + help.slice(1)} (default: ${fallback})`
      ).join("; ");
      return [
        name,
        integer(help, {
          min: Math.min(...of.map(({ min }) => min)),
          max: Math.max(...of.map(({ max }) => max)),
        }),
      ];
    }),
  );
}

/** Returns the given actor options. */
export function actorOptions(flags: FlagValues<FlagTable>): Record<string, number | undefined> {
  const names = everyActor.flatMap(({ options }) => Object.keys(options));
  return Object.fromEntries(names.map((name) => [name, flags[name] as number | undefined]));
}
