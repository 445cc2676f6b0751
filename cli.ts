/**
 * Command-line entry point: `deno run -A cli.ts <command> …`.
 *
 * A command's module is loaded only when the command is called, so that the list of commands
 * appears at once. To add a command, write `lib/commands/<name>.ts` with a function of the
 * arguments after the command's name, and add it to `commands`.
 *
 * @module
 */
import { type Command, runCommandLine } from "./lib/commands/dispatch.ts";
import "./lib/envs/mujoco/binary.ts";

/** The commands by name. */
export const commands: Readonly<Record<string, Command>> = {
  "train": {
    summary: "train a policy on an offline data set",
    load: async () => (await import("./lib/commands/train.ts")).train,
  },
  "data get": {
    summary: "download D4RL's data file of a task",
    load: async () => (await import("./lib/commands/data_get.ts")).dataGet,
  },
  "data list": {
    summary: "list all tasks: what data are here, the paper's scores and β",
    load: async () => (await import("./lib/commands/data_list.ts")).dataList,
  },
  "data inspect": {
    summary: "summarize a data set and warn about common problems",
    load: async () => (await import("./lib/commands/data_inspect.ts")).dataInspect,
  },
  "data collect": {
    summary: "record a data set from a policy, random actions or maze2d's planner",
    load: async () => (await import("./lib/commands/data_collect.ts")).dataCollect,
  },
  "data check": {
    summary: "replay a data set's steps in the simulator, and check its log-probabilities",
    load: async () => (await import("./lib/commands/data_check.ts")).dataCheck,
  },
  "data convert": {
    summary: "convert a data set of Minari or OGBench to D4RL's format",
    load: async () => (await import("./lib/commands/data_convert.ts")).dataConvert,
  },
  "eval": {
    summary: "evaluate a trained policy: episode returns and D4RL score",
    load: async () => (await import("./lib/commands/eval.ts")).evaluate,
  },
  "watch": {
    summary: "show policies in their environment on a web page, or export the page",
    load: async () => (await import("./lib/commands/watch.ts")).watch,
  },
  "export": {
    summary: "write a policy for other programs: ONNX, JavaScript, C or PyTorch",
    load: async () => (await import("./lib/commands/export.ts")).exportPolicy,
  },
  "report": {
    summary: "write an HTML report of one run, or a comparison of several",
    load: async () => (await import("./lib/commands/report.ts")).report,
  },
  "runs": {
    summary: "list the runs in a folder",
    load: async () => (await import("./lib/commands/runs.ts")).listRuns,
  },
  "runs compare": {
    summary: "show in which settings and data two runs differ",
    load: async () => (await import("./lib/commands/runs_compare.ts")).compareRuns,
  },
  "runs export": {
    summary: "write the metrics of a run as CSV",
    load: async () => (await import("./lib/commands/runs_export.ts")).exportRun,
  },
  "sweep plan": {
    summary: "turn a sweep file (tasks, algorithms, seeds, hyperparameters) into units",
    load: async () => (await import("./lib/commands/sweep_plan.ts")).sweepPlan,
  },
  "sweep run": {
    summary: "train the units of a sweep here, one after another",
    load: async () => (await import("./lib/commands/sweep_run.ts")).sweepRun,
  },
  "sweep submit": {
    summary: "submit the units of a sweep to Slurm as a job array",
    load: async () => (await import("./lib/commands/sweep_submit.ts")).sweepSubmit,
  },
  "sweep status": {
    summary: "show the progress and scores of a sweep's units",
    load: async () => (await import("./lib/commands/sweep_status.ts")).sweepStatus,
  },
  "bandit": {
    summary: "run the paper's two-dimensional bandit experiments and draw them",
    load: async () => (await import("./lib/commands/bandit.ts")).bandit,
  },
  "gradcheck": {
    summary: "check every operation and gradient on this machine's GPU adapter",
    load: async () => (await import("./lib/commands/gradcheck.ts")).gradcheck,
  },
  "serve-env": {
    summary: "serve the built-in MuJoCo environments to other programs",
    load: async () => (await import("./lib/commands/serve_env.ts")).serveEnv,
  },
};

if (import.meta.main) Deno.exit(await runCommandLine(commands, Deno.args));
