/**
 * Worker script of `stage_in_worker.ts`: trains one stage on a GPU of its own.
 *
 * @module
 */
import { findAlgorithm } from "../algorithms/registry.ts";
import { Engine } from "../autodiff/engine.ts";
import type { StepMetrics } from "../autodiff/training_step.ts";
import { ReplayBuffer } from "../data/replay_buffer.ts";
import { missingPermission, UserError } from "../errors.ts";
import { GpuLostError } from "../gpu/device.ts";
import type { StageAnswer, StageMessage } from "./stage_in_worker.ts";
import { openSession, type StageSession } from "./stage_session.ts";

/** Milliseconds between two reports of steps. */
const reportMilliseconds = 50;

let session: StageSession | null = null;
let stopping = false;

async function answer(message: Exclude<StageMessage, { stop: true }>): Promise<StageAnswer> {
  if ("open" in message) {
    const { algorithm, data, rewards, target, request } = message.open;
    const engine = await Engine.open(target);
    const buffer = new ReplayBuffer(engine.gpu, data, rewards);
    session = await openSession(engine, buffer, findAlgorithm(algorithm), request);
    return { opened: session.size };
  }
  if ("encode" in message) {
    const { step, metadata } = message.encode;
    return { encoded: await session!.encode(step, metadata) };
  }
  const { start, end } = message.run;
  stopping = false;
  let values: StepMetrics[] = [];
  let last = start;
  let reported = performance.now();
  const report = () => {
    if (values.length === 0) return;
    scope.postMessage({ steps: { first: last - values.length + 1, values } });
    values = [];
    reported = performance.now();
  };
  try {
    const ran = await session!.run({
      start,
      end,
      onStep: (step, metrics) => {
        last = step;
        values.push(metrics);
        if (performance.now() - reported > reportMilliseconds) report();
      },
      shouldStop: () => stopping,
    });
    return { ran };
  } finally {
    report();
  }
}

async function answered(message: Exclude<StageMessage, { stop: true }>): Promise<StageAnswer> {
  try {
    return await answer(message);
  } catch (error) {
    const known = error instanceof UserError ? error : missingPermission(error);
    const message = known?.message ?? String((error as Error).stack ?? error);
    const kind = known === null ? "other" : known instanceof GpuLostError ? "lost" : "user";
    return { error: { message, kind } };
  }
}

const scope = globalThis as unknown as {
  postMessage(message: StageAnswer): void;
  onmessage: (event: MessageEvent<StageMessage>) => void;
};
scope.onmessage = async ({ data }) => {
  if ("stop" in data) stopping = true;
  else scope.postMessage(await answered(data));
};
