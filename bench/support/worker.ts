/**
 * The contestant's side of the protocol: one line of JSON per request and per answer.
 *
 * @module
 */
import type { Replies, Request, Task } from "./tasks.ts";

/** A prepared task: compiled, with data and weights uploaded. */
export interface Ready {
  /**
   * Runs further steps and resolves when all of them are complete.
   *
   * @param expected Expected seconds per step.
   */
  readonly run: (steps: number, expected: number) => Promise<void>;
  /** Properties of the task other than its time. */
  readonly about?: Replies["describe"];
}

/** Implementation of a contestant. */
export interface Abilities {
  /** The device that it computes on. */
  readonly device: string;
  readonly prepare: (task: Task) => Promise<Ready>;
  /** Returns the losses of `steps` steps from the sample weights on the sample batch. */
  readonly losses: (task: Task, steps: number) => Promise<number[]>;
}

/** Serves until standard input ends. */
export async function serve({ device, prepare, losses }: Abilities): Promise<void> {
  const ready = new Map<string, { task: Ready; expected: number }>();
  const readyFor = async (task: Task) => {
    const key = JSON.stringify(task);
    let entry = ready.get(key);
    if (!entry) {
      const prepared = await prepare(task);
      // The first step includes lazy compilation.
      await prepared.run(1, 1);
      entry = { task: prepared, expected: 1 };
      // A step of a graphics card may take much less time than the wait for it, so more are timed.
      for (let steps = 1, seconds = 0; seconds < 0.05 && steps <= 1024; steps *= 4) {
        const start = performance.now();
        await prepared.run(steps, entry.expected);
        seconds = (performance.now() - start) / 1e3;
        entry.expected = seconds / steps;
      }
      ready.set(key, entry);
    }
    return entry;
  };
  const answer = async (request: Request): Promise<Replies[keyof Replies]> => {
    switch (request.ask) {
      case "losses":
        return { losses: await losses(request.task, request.steps) };
      case "describe":
        return (await readyFor(request.task)).task.about ?? {};
      case "time": {
        const entry = await readyFor(request.task);
        const steps = Math.max(1, Math.round(request.seconds / entry.expected));
        const start = performance.now();
        await entry.task.run(steps, entry.expected);
        const seconds = (performance.now() - start) / 1e3;
        entry.expected = seconds / steps;
        return { steps, seconds };
      }
    }
  };

  const encoder = new TextEncoder();
  const say = (reply: unknown) =>
    Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(reply)}\n`));
  // Standard output carries only answers.
  console.log = console.error;
  console.warn = console.error;
  console.info = console.error;
  say({ device });
  let pending = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (pending + text).split("\n");
    pending = lines.pop()!;
    for (const line of lines) {
      try {
        say(await answer(JSON.parse(line)));
      } catch (error) {
        say({ error: error instanceof Error ? error.message : String(error) });
      }
    }
  }
}

/** Rejects a task that the contestant does not implement. */
export function unknownTask(task: Task): never {
  throw new Error(`this contestant does not implement ${JSON.stringify(task)}`);
}
