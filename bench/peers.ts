/**
 * The same training steps in our engine and in others: `deno run -A bench/peers.ts [--json]`.
 *
 * First a perceptron (28-256-256-1, batch 256, mean squared error, Adam) in ours, `@jax-js/jax` on
 * WebGPU and on WebAssembly, `@tensorflow/tfjs-backend-webgpu`, and PyTorch where it is installed.
 * Then one critic step and one behavior step (batch 2048) of SRPO in ours, jax-js and PyTorch. All
 * start from the same weights, and their losses are compared before anything is timed; they take
 * turns, each in a process of its own.
 *
 * @module
 */
import { agreement } from "./support/agreement.ts";
import {
  type Contestant,
  startJax,
  startOurs,
  startPytorch,
  startTensorflow,
} from "./support/contestant.ts";
import { machineLine } from "./support/machine.ts";
import { digits, Printer, timeInTurns } from "./support/rounds.ts";
import type { StepTask } from "./support/tasks.ts";

/** One table: a task done by all contestants, times as multiples of the first one's. */
async function compare(
  printer: Printer,
  title: string,
  contestants: readonly Contestant[],
  step: StepTask["step"],
  { rounds, seconds, checked }: {
    readonly rounds: number;
    readonly seconds: number;
    /** Steps of which the losses are compared. */
    readonly checked: number;
  },
): Promise<void> {
  const task = { step };
  const agreed = await agreement(contestants, task, checked);
  const timings = await timeInTurns(
    contestants.map((contestant) => ({ contestant, task })),
    { rounds, seconds },
  );
  const [first] = timings;
  printer.print({
    title: `${title}: milliseconds, median and best of ${rounds} rounds`,
    header: ["", "ms a step", "best", "× ours", "× ours, best", "computed by"],
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
await using pytorch = await startPytorch();
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
