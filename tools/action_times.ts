/**
 * Measures the processor time of an action for the policies of finished runs:
 * `deno run -A tools/action_times.ts RUNS` writes `RUNS/action_times.json` for Figure 1.
 *
 * Processor time, unlike the latency in `results.json`, does not depend on what else the machine
 * does. Policies run on the CPU, on one thread, with the first seed's weights.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { runCommandLine } from "../lib/commands/dispatch.ts";
import { RandomStream } from "../lib/envs/random.ts";
import { UserError } from "../lib/errors.ts";
import type { Policy } from "../lib/nn/host/policy.ts";
import { openTrained } from "../lib/runs/trained.ts";
import { type ActionTimes, compared } from "./figures/compared.ts";
import { Runs } from "./figures/runs.ts";

/** Seconds to warm up and to measure. */
const spans = { warmUp: 0.5, measured: 2 };

/** Returns the mean processor time of an action for one observation, in milliseconds. */
async function processorTime(policy: Policy): Promise<number> {
  const random = [new RandomStream(0)];
  const observation = Float64Array.from(
    { length: policy.observationSize },
    () => random[0]!.normal(),
  );
  const run = async (seconds: number) => {
    const [begin, before] = [performance.now(), process.cpuUsage()];
    let calls = 0;
    for (; performance.now() < begin + 1000 * seconds; calls++) {
      await policy.act(observation, random);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / calls;
  };
  await run(spans.warmUp);
  return await run(spans.measured);
}

async function measure(args: readonly string[]): Promise<void> {
  const [folder] = args;
  if (folder === undefined || args.length > 1) {
    throw new UserError("usage: deno run -A tools/action_times.ts RUNS");
  }
  const runs = new Runs(folder);
  const times: Record<string, Record<string, number>> = {};
  for (const [run, policy] of compared) {
    const results = runs.results(run);
    if (results === null) continue;
    const trained = openTrained(join(folder, run, `seed-${results.seeds[0]}`));
    (times[run] ??= {})[policy] = await processorTime(trained.load(policy).policy);
  }
  const path = join(folder, "action_times.json");
  Deno.writeTextFileSync(path, JSON.stringify(times satisfies ActionTimes, null, 2) + "\n");
  console.log(path);
}

const command = { summary: "measure actions", load: () => Promise.resolve(measure) };
if (import.meta.main) {
  Deno.exit(await runCommandLine({ "action-times": command }, ["action-times", ...Deno.args]));
}
