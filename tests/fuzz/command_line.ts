/**
 * Random command lines.
 *
 * @module
 */
import fc from "fast-check";
import { bugExitCode, type Command, runCommandLine } from "../../lib/commands/dispatch.ts";

/** The commands that a case runs. Each ends early, because no file that is named exists. */
const commands: Readonly<Record<string, Command>> = {
  train: {
    summary: "",
    load: async () => {
      const { parseTrain } = await import("../../lib/commands/train_flags.ts");
      const { makePlan } = await import("../../lib/commands/train_plan.ts");
      return async (args) => {
        const { algorithm, parsed } = parseTrain(args);
        if (parsed !== "help") await makePlan(algorithm, parsed.what, parsed.flags);
      };
    },
  },
  eval: {
    summary: "",
    load: async () => (await import("../../lib/commands/eval.ts")).evaluate,
  },
  "data inspect": {
    summary: "",
    load: async () => (await import("../../lib/commands/data_inspect.ts")).dataInspect,
  },
  "data convert": {
    summary: "",
    load: async () => (await import("../../lib/commands/data_convert.ts")).dataConvert,
  },
  "runs compare": {
    summary: "",
    load: async () => (await import("../../lib/commands/runs_compare.ts")).compareRuns,
  },
};

const flags = [
  ...[
    "--seed",
    "--seeds",
    "--stage",
    "--from",
    "--out",
    "--resume",
    "--task",
    "--preset",
    "--data",
  ],
  ...["--betas", "--beta", "--critic-steps", "--algorithm", "--json", "--episodes", "--policy"],
  ...["--eval-every", "--eval-episodes", "--matmul", "--family", "--env", "--server", "--help"],
  ...[
    "--record",
    "--variant",
    "--force",
    "--critic",
    "--tau",
    "-h",
    "--",
    "--critic-steps=",
    "--no-",
  ],
];
const values = [
  ...[
    "0",
    "-1",
    "1e999",
    "NaN",
    "0x10",
    "1_000",
    "99999999999999999999",
    "0-5",
    "5-0",
    "0-1000000",
  ],
  ...["critic", "policy", "srpo", "iql", "quick", "hopper-medium-v2", "nothing.hdf5", "true", ""],
  ...[
    "../../etc/passwd",
    "/proc/self/mem",
    ".",
    "/",
    "a,b",
    ",",
    "=",
    "0.1,0.1",
    "python",
    "locomotion",
  ],
];

/** Generates the arguments of a command. */
export const commandLine: fc.Arbitrary<string[]> = fc.tuple(
  fc.constantFrom(...Object.keys(commands).map((name) => name.split(" ")), ["trian"], []),
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...flags) },
      { weight: 4, arbitrary: fc.constantFrom(...values) },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constantFrom(...flags), fc.constantFrom(...values))
          .map(([flag, value]) => `${flag}=${value}`),
      },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
    ),
    { maxLength: 7 },
  ),
).map(([name, rest]) => [...name, ...rest]);

/** Runs a command line without output, and checks that it works or ends with one error message. */
export async function runQuietly(args: readonly string[]): Promise<void> {
  const { log, error } = console;
  const errors: unknown[] = [];
  console.log = () => {};
  console.error = (...texts) => errors.push(...texts);
  let code: number;
  try {
    code = await runCommandLine(commands, args);
  } finally {
    Object.assign(console, { log, error });
  }
  const messages = errors.filter((text) => String(text).startsWith("error: "));
  if (code === bugExitCode) throw errors.find((each) => each instanceof Error) ?? errors;
  if (code !== 0 && messages.length !== 1) throw new Error(`exit code ${code}: ${errors}`);
}
