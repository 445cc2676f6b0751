/**
 * Observers of a run besides the terminal: the live page and TensorBoard's files.
 *
 * @module
 */
import { join } from "node:path";
import type { Playback } from "../envs/playback.ts";
import type { ProgressOutput } from "../runs/progress.ts";
import type { ReplicaAxes } from "../runs/replicas.ts";
import { fitted } from "../terminal.ts";
import type { LiveServer } from "./live_server.ts";
import type { EvaluatedPolicy } from "./train_evaluation.ts";
import type { TrainFlags } from "./train_flags.ts";
import type { Plan } from "./train_plan.ts";

/** Time between two updates of TensorBoard's files, in milliseconds. */
const tensorBoardMilliseconds = 5000;

/** The observers of a run. Disposing of them writes and sends what is left. */
export interface Observers extends AsyncDisposable {
  /** Receives recorded episodes; absent if nobody shows them. */
  readonly onPlayback: ((playback: Playback, policy: EvaluatedPolicy) => void) | undefined;
  /** Returns an output that also passes the progress on. */
  progress(output: ProgressOutput): ProgressOutput;
  /** Sets the text that viewers see when the run ends. */
  end(text: string): void;
}

/**
 * Starts the observers that the flags ask for, and prints the address of the live page.
 *
 * @param announce Called with a warning if one of them fails.
 */
export async function observersOf(
  { directory, algorithm }: ReplicaAxes,
  { task, seeds, stages }: Plan,
  flags: Pick<TrainFlags, "live" | "tensorboard">,
  announce: (line: string) => void,
): Promise<Observers> {
  // Both are loaded only if they are asked for.
  let server: LiveServer | undefined;
  if (flags.live) {
    const { LiveServer } = await import("./live_server.ts");
    const description = `${algorithm.title} on ${task.name}, seed ${seeds.join(", ")}`;
    server = new LiveServer({ name: directory.path, description, stages }, directory.metrics);
    // Not in the log, because whoever has the token can see the page.
    console.log(fitted(`live     ${server.address}`));
  }
  let stopTensorBoard = () => {};
  if (flags.tensorboard) {
    const { TensorBoardFiles } = await import("../runs/tensorboard.ts");
    const files = new TensorBoardFiles(join(directory.path, "tensorboard"), directory.metrics);
    let failed = false;
    const update = () => {
      if (failed) return;
      try {
        files.update();
      } catch (error) {
        // Training goes on without them.
        failed = true;
        const { message } = error as Error;
        announce(`warning  TensorBoard's files are no longer written: ${message}`);
      }
    };
    const timer = setInterval(update, tensorBoardMilliseconds);
    stopTensorBoard = () => {
      clearInterval(timer);
      update();
    };
  }
  return {
    onPlayback: server && ((playback, { stage, step, replica: { seed, variant } }) =>
      server.show({
        ...playback,
        caption: `First episode of the last evaluation: ${stage}, step ${
          step.toLocaleString("en-US")
        }, seed ${seed}${variant === null ? "" : `, ${variant}`}`,
      })),
    progress: (output) =>
      server === undefined
        ? output
        : { ...output, columns: () => output.columns(), observe: (state) => server.observe(state) },
    end(text) {
      if (server) server.ending = text;
    },
    async [Symbol.asyncDispose]() {
      stopTensorBoard();
      await server?.[Symbol.asyncDispose]();
    },
  };
}
