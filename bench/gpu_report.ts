/**
 * Runs the checks and benchmarks of a graphics card and writes their results to one JSON and one
 * Markdown file. `bench/gpu.sh` calls it, after it has installed what they need.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { adapterText, Gpu } from "../lib/gpu/device.ts";
import { version } from "../lib/version.ts";
import { machineLine } from "./support/machine.ts";
import { markdownOf, type Outcome, parityOutcome, tablesOutcome } from "./support/gpu_results.ts";

/** Seconds from the start of `gpu.sh` in which everything must end. */
const limit = 560;

const { began, card, _: [name] } = parseArgs(Deno.args, { string: ["began", "card"] });
const start = Number(began) * 1000;
const gpu = await Gpu.open();
const { adapter } = gpu;
gpu.close();
if (adapter.software && card === "nvidia") {
  console.error(
    `gpu: nvidia-smi finds a card, but the Vulkan adapter is ${adapterText(adapter)}. Install ` +
      "NVIDIA's Vulkan libraries (in containers, NVIDIA_DRIVER_CAPABILITIES=all), or name the " +
      "driver's nvidia_icd.json in VK_DRIVER_FILES",
  );
  Deno.exit(1);
}
const rounds = ["--json", "--rounds", adapter.software ? "1" : "5"];
const bench = (name: string) => ["run", "-A", `bench/${name}.ts`, ...rounds];
// If the time runs out, the last ones are missing.
const steps: readonly (readonly [string, readonly string[]])[] = [
  ["gradcheck", ["run", "-A", "cli.ts", "gradcheck", "--json"]],
  ["parity", ["test", "-A", "--no-check", "tests/parity_test.ts"]],
  ["gpu", bench("gpu")],
  ["stages", bench("stages")],
  ["peers", bench("peers")],
  ["matmul", bench("matmul")],
];

const outcomes: Outcome[] = [];
for (const [step, args] of steps) {
  const left = limit - (Date.now() - start) / 1000;
  console.error(`gpu: ${step}, ${left.toFixed(0)} s left`);
  outcomes.push(await run(step, args, left));
  console.error(`gpu: ${step}: ${outcomes.at(-1)!.result}`);
}
const report = {
  version,
  began: new Date(start).toISOString(),
  seconds: Math.round((Date.now() - start) / 1000),
  machine: await machineLine(adapterText(adapter)),
  adapter,
  outcomes,
};
Deno.mkdirSync(dirname(String(name)), { recursive: true });
Deno.writeTextFileSync(`${name}.json`, JSON.stringify(report, null, 2) + "\n");
Deno.writeTextFileSync(`${name}.md`, markdownOf(report));
console.error(`gpu: wrote ${name}.json and ${name}.md after ${report.seconds} s`);
Deno.exitCode = outcomes.every(({ failed }) => !failed) ? 0 : 1;

/** Runs one step, for at most `left` seconds. */
async function run(step: string, args: readonly string[], left: number): Promise<Outcome> {
  const command = ["deno", ...args].join(" ");
  if (left < 10) {
    return { step, command, seconds: 0, failed: true, result: "skipped: out of time", tables: [] };
  }
  const from = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(left * 1000),
  }).output();
  const seconds = Math.round((performance.now() - from) / 1000);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const output = text(stdout);
  const found = step === "parity" ? parityOutcome(output) : tablesOutcome(step, output);
  if (code === 0 && found !== null) return { step, command, seconds, failed: false, ...found };
  const reason = seconds >= Math.floor(left)
    ? "stopped: out of time"
    : `failed with exit code ${code}: ${text(stderr).trim().split("\n").at(-1)?.slice(0, 300)}`;
  return {
    ...{ step, command, seconds, failed: true, result: reason },
    tables: found?.tables ?? [],
  };
}
