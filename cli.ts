/**
 * The door for people: `deno run -A cli.ts <command> …`.
 *
 * A command is loaded when it is called, so that `--help` is instant and `eval` loads nothing of
 * WebGPU. To add one: write `lib/commands/<name>.ts` with a function of the arguments after the
 * command's words, and name it in `commands`.
 *
 * @module
 */
import { type Command, runCommandLine } from "./lib/commands/dispatch.ts";

const commands: Readonly<Record<string, Command>> = {
  "train": {
    summary: "train critic, behavior model and policy on a data set",
    load: async () => (await import("./lib/commands/train.ts")).train,
  },
  "data inspect": {
    summary: "show what is in a data set, and warn of what usually goes wrong",
    load: async () => (await import("./lib/commands/data_inspect.ts")).dataInspect,
  },
  "data collect": {
    summary: "play a policy, or maze2d's planner, and keep the steps as a data set",
    load: async () => (await import("./lib/commands/data_collect.ts")).dataCollect,
  },
  "eval": {
    summary: "play episodes with a trained policy and give their returns and D4RL score",
    load: async () => (await import("./lib/commands/eval.ts")).evaluate,
  },
  "gradcheck": {
    summary: "check every operation and gradient on this machine's adapter",
    load: async () => (await import("./lib/commands/gradcheck.ts")).gradcheck,
  },
  "serve-env": {
    summary: "serve the built-in MuJoCo environments to other programs",
    load: async () => (await import("./lib/commands/serve_env.ts")).serveEnv,
  },
};

if (import.meta.main) Deno.exit(await runCommandLine(commands, Deno.args));
