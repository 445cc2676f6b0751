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
const rounds = ["--json", "--rounds", adapter.software ? "1" : "3"];
const bench = (name: string) => ["run", "-A", `bench/${name}.ts`, ...rounds];
type Step = readonly [name: string, args: readonly string[]];
// The checks run together, the benchmarks one after another. If the time runs out, the last ones
// are missing.
const checks: readonly Step[] = [
  ["gradcheck", ["run", "-A", "cli.ts", "gradcheck", "--json"]],
  ["parity", ["test", "-A", "--no-check", "tests/parity_test.ts"]],
];
const benchmarks: readonly Step[] = [
  ["gpu", bench("gpu")],
  ["stages", bench("stages")],
  ["peers", bench("peers")],
  ["matmul", bench("matmul")],
];

const outcomes: Outcome[] = [];
for (const steps of [checks, ...benchmarks.map((step) => [step])]) {
  const left = limit - (Date.now() - start) / 1000;
  console.error(`gpu: ${steps.map(([name]) => name).join(" and ")}, ${left.toFixed(0)} s left`);
  const found = await Promise.all(steps.map(([name, args]) => run(name, args, left)));
  for (const { step, result } of found) console.error(`gpu: ${step}: ${result}`);
  outcomes.push(...found);
  // After every step, in case the machine is taken away.
  await write();
}
Deno.exitCode = outcomes.every(({ failed }) => !failed) ? 0 : 1;

/** Writes the outcomes so far. */
async function write(): Promise<void> {
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
}

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
  const reason = seconds >= Math.floor(left)
    ? "stopped: out of time"
    : `failed with exit code ${code}: ${text(stderr).trim().split("\n").at(-1)?.slice(0, 300)}`;
  const failed = code !== 0 || found === null;
  return { step, command, seconds, failed, result: reason, tables: [], ...found };
}
