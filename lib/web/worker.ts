/**
 * The worker of the page: opens the GPU and runs one task at a time.
 *
 * @module
 */
import { Engine } from "../autodiff/engine.ts";
import { choiceText } from "../autodiff/variants.ts";
import { UserError } from "../errors.ts";
import { adapterText } from "../gpu/device.ts";
import { banditTask } from "./bandit_task.ts";
import type { Report, Request, TaskRequest } from "./messages.ts";
import { Gate, type TaskContext } from "./task.ts";

const scope = globalThis as unknown as {
  postMessage(report: Report): void;
  onmessage: (event: MessageEvent<Request>) => void;
};
const post = (report: Report) => scope.postMessage(report);

let engine: Engine | null = null;
let gate = new Gate();

scope.onmessage = ({ data: request }) => {
  if (request.kind === "pause") gate.hold();
  else if (request.kind === "resume") gate.release();
  else if (request.kind === "stop") gate.stop();
  else {
    gate = new Gate();
    run(request, gate);
  }
};
post({ kind: "ready" });

async function run(request: TaskRequest, gate: Gate): Promise<void> {
  try {
    if (engine === null) {
      post({ kind: "note", text: "Opening the GPU and timing its matrix products …" });
      engine = await Engine.open();
    }
    const text = `${adapterText(engine.gpu.adapter)}; matrix products: ${
      choiceText(engine.choice)
    }`;
    post({ kind: "gpu", text });
    const end = await perform(request, { engine, gate, post });
    post({ kind: "end", text: end ?? "Stopped." });
  } catch (error) {
    // A device that was lost, or is out of memory, cannot be used again.
    if (await engine?.gpu.lost()) {
      engine!.close();
      engine = null;
    }
    const known = error instanceof UserError;
    post({
      kind: "error",
      message: known ? error.message : String((error as Error).stack ?? error),
    });
  }
}

/** Performs a task. The code of the larger ones is loaded when they are first asked for. */
async function perform(request: TaskRequest, context: TaskContext): Promise<string | null> {
  if (request.kind === "bandit") return await banditTask(request, context);
  if (request.kind === "maze") {
    return await (await import("./maze_task.ts")).mazeTask(request, context);
  }
  return await (await import("./check_task.ts")).checkTask(context);
}
