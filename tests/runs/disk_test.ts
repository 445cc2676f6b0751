/** What a run does when its folder cannot be written to, and when the clock is set back. */
import { assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import type { Evaluator } from "../../lib/runs/evaluation_queue.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { decode } from "../../lib/runs/safetensors.ts";
import { runIn, setUp } from "./tiny_run.ts";

const granted = ["read", "write"].every((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state === "granted"
);

/** An evaluator that makes the run save a checkpoint every 10 steps. */
const evaluator: Evaluator = {
  every: 10,
  episodes: 1,
  evaluate: (_stage, _step, checkpoints) =>
    Promise.resolve(checkpoints.map((bytes) => {
      const weights = decode(bytes, "").tensors.get("policy.net.0.weight")!.data;
      return { metrics: { mean_return: Number(weights[0]) }, episodes: [] };
    })),
};

/** Returns an error as the operating system gives it. */
function systemError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

Deno.test({
  name: "trainStages() stops with a message when the disk is full or read-only, and loses nothing",
  ignore: !granted,
  fn: async () => {
    const { trainStages } = await import("../../lib/runs/training_run.ts");
    const root = Deno.makeTempDirSync();
    const machine = await setUp();
    const more = { stages: ["critic"], evaluator };
    const critic = (run: string) =>
      Deno.readFileSync(`${root}/${run}/checkpoints/critic.safetensors`);
    const rows = (run: string) =>
      readMetrics(`${root}/${run}/metrics.jsonl`).map(({ time: _, ...row }) => JSON.stringify(row))
        .toSorted();
    const file = Deno.FsFile.prototype;
    const { write, writeSync } = file;
    /** Trains with writes that fail after so many bytes. */
    const failing = async (run: string, bytes: number, error: Error) => {
      let left = bytes;
      const some = (chunk: Uint8Array) => {
        if (left === 0) throw error;
        const part = chunk.subarray(0, left);
        left -= part.length;
        return part;
      };
      file.write = function (chunk) {
        return write.call(this, some(chunk));
      };
      file.writeSync = function (chunk) {
        return writeSync.call(this, some(chunk));
      };
      try {
        await trainStages(runIn(`${root}/${run}`, machine, { ...more, resume: true }));
      } finally {
        Object.assign(file, { write, writeSync });
      }
    };
    try {
      await trainStages(runIn(`${root}/whole`, machine, more));
      const size = critic("whole").length;
      // In a row of metrics, in the first checkpoint, and in the second generation.
      for (const bytes of [500, size, 5 * size]) {
        const full = () => failing("full", bytes, systemError("No space left", "ENOSPC"));
        await assertRejects(full, UserError, "pace left");
      }
      const readOnly = () => failing("full", 0, systemError("Read-only file system", "EROFS"));
      await assertRejects(readOnly, UserError, "Read-only file system");
      const names = [...Deno.readDirSync(`${root}/full/checkpoints`)].map(({ name }) => name);
      assertEquals(names.filter((name) => name.endsWith(".tmp")), []);

      // The clock is set back by a year.
      const { Date: Now } = globalThis;
      globalThis.Date = class extends Now {
        constructor() {
          super(Now.now() - 365 * 24 * 3600 * 1000);
        }
      } as DateConstructor;
      try {
        await trainStages(runIn(`${root}/full`, machine, { ...more, resume: true }));
      } finally {
        globalThis.Date = Now;
      }
      assertEquals(critic("full"), critic("whole"));
      assertEquals(rows("full"), rows("whole"));
    } finally {
      machine.buffer.destroy();
      machine.engine.close();
      Deno.removeSync(root, { recursive: true });
    }
  },
});
