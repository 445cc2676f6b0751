/**
 * The contestant's end: answers requests on standard input, a line of JSON each, with a line of JSON.
 *
 * @module
 */
import type { Replies, Request, Task } from "./tasks.ts";

/** A task made ready: compiled, uploaded, its weights in place. */
export interface Ready {
  /**
   * Runs further steps and resolves when all of them are computed.
   *
   * @param expected Seconds that a step is expected to take.
   */
  readonly run: (steps: number, expected: number) => Promise<void>;
  /** What is to be said of it. */
  readonly about?: Replies["describe"];
}

/** What a contestant can do. */
export interface Abilities {
  /** What it computes on. */
  readonly device: string;
  readonly prepare: (task: Task) => Promise<Ready>;
  /** Losses of `steps` steps from the sample weights on the sample batch. */
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
      // The first step compiles what is compiled late; the second one tells how long a step takes.
      await prepared.run(1, 1);
      const start = performance.now();
      await prepared.run(1, 1);
      entry = { task: prepared, expected: (performance.now() - start) / 1e3 };
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
  // Standard output carries answers alone.
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

/** Refuses a task that a contestant has no implementation of. */
export function unknownTask(task: Task): never {
  throw new Error(`this contestant does not do ${JSON.stringify(task)}`);
}
