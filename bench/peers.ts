/**
 * Compares training steps in our engine and in others: `deno run -A bench/peers.ts [--json]
 * [--rounds N]`.
 *
 * The first task is a perceptron (28-256-256-1, batch 256, mean squared error, Adam) in our engine,
 * `@jax-js/jax` on WebGPU and on WebAssembly, `@tensorflow/tfjs-backend-webgpu`, and PyTorch if it
 * is installed. The other tasks are SRPO's critic step and behavior step (batch 2048) in our
 * engine, jax-js and PyTorch. All contestants start from the same weights, and their losses are
 * compared before timing. They take turns, each in its own process.
 *
 * @module
 */
import { agreement } from "./support/agreement.ts";
import {
  type Contestant,
  startJax,
  startOurs,
  startPytorchBeside,
  startTensorflow,
} from "./support/contestant.ts";
import { machineLine } from "./support/machine.ts";
import { type Budget, budget, digits, Printer, timeInTurns } from "./support/rounds.ts";
import type { StepTask } from "./support/tasks.ts";

/** Prints a table of the times of all contestants for a task, also relative to the first one. */
async function compare(
  printer: Printer,
  title: string,
  contestants: readonly Contestant[],
  step: StepTask["step"],
  { checked, ...usual }: Budget & {
    /** Number of steps whose losses are compared. */
    readonly checked: number;
  },
): Promise<void> {
  const turns = budget(usual);
  const task = { step };
  const agreed = await agreement(contestants, task, checked);
  const timings = await timeInTurns(
    contestants.map((contestant) => ({ contestant, task })),
    turns,
  );
  const [first] = timings;
  printer.print({
    title: `${title}: milliseconds, median and best of ${turns.rounds} rounds`,
    header: ["", "ms per step", "best", "× ours", "× ours, best", "computed by"],
    rows: timings.map(({ median, best }, i) => [
      contestants[i]!.name,
      digits(1e3 * median),
      digits(1e3 * best),
      (median / first!.median).toFixed(2),
      (best / first!.best).toFixed(2),
      contestants[i]!.device,
    ]),
    notes: [agreed],
  });
}

await using ours = await startOurs();
await using pytorch = await startPytorchBeside(ours);
await using webgpu = await startJax("webgpu");
await using wasm = await startJax("wasm");
await using tensorflow = await startTensorflow();
const printer = new Printer(Deno.args.includes("--json"), await machineLine(ours.device));
const measure = pytorch ? [pytorch] : [];
await compare(
  printer,
  "Perceptron 28-256-256-1, batch 256, Adam",
  [ours, webgpu, wasm, tensorflow, ...measure],
  "mlp",
  { rounds: 9, seconds: 0.6, checked: 10 },
);
await compare(
  printer,
  "SRPO's critic step with its policy, batch 256",
  [ours, webgpu, wasm, ...measure],
  "critic",
  { rounds: 9, seconds: 0.6, checked: 3 },
);
await compare(
  printer,
  "SRPO's behavior step, batch 2048",
  [ours, webgpu, wasm, ...measure],
  "behavior",
  { rounds: 5, seconds: 1, checked: 2 },
);
printer.finish();
