import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { fingerprintKey, readCheckpoint } from "../../lib/runs/checkpoint.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { recoverGeneration, writeGeneration } from "../../lib/runs/generation.ts";
import { encode } from "../../lib/runs/safetensors.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

/** Returns a checkpoint of seed `seed`. */
function checkpointOf(step: number | string, seed: number, fingerprint = `seed ${seed}`) {
  return encode(
    new Map([["w", { dtype: "F32", shape: [2], data: Float32Array.of(Number(step), seed) }]]),
    { step: String(step), [fingerprintKey]: fingerprint },
  );
}

interface Place {
  /** Paths of the checkpoints of two seeds. */
  readonly paths: readonly [string, string];
  /** Writes a generation. */
  readonly write: (step: number) => Promise<void>;
  /** Recovers, and returns the messages and the steps of the checkpoints in place. */
  readonly recover: () => { lines: string[]; steps: (number | null)[] };
  /** Returns the names of all files in the folder of each seed. */
  readonly names: () => string[][];
}

/** Tests with a run of seeds 0 and 1 that has the generations of steps 10 and 20, of 40 steps. */
function generationTest(name: string, body: (place: Place) => void | Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const root = Deno.makeTempDirSync();
      try {
        const run = new RunDirectory(root);
        const paths = [0, 1].map((seed) => run.replica(seed).checkpoint("score")) as [
          string,
          string,
        ];
        for (const path of paths) Deno.mkdirSync(dirname(path), { recursive: true });
        let saved: number | null = null;
        const write = async (step: number) => {
          const files = new Map(paths.map((path, seed) => [path, checkpointOf(step, seed)]));
          await writeGeneration(step, files, saved);
          saved = step;
        };
        const recover = () => {
          const lines: string[] = [];
          const expected = paths.map((path, seed) => ({ path, fingerprint: `seed ${seed}` }));
          const steps = recoverGeneration("score", expected, 40, (line) => lines.push(line));
          paths.forEach((path, seed) => {
            if (steps[seed] === null) return;
            const { step, file } = readCheckpoint(path);
            assertEquals(step, steps[seed]);
            assertEquals([...file.tensors.get("w")!.data as Float32Array], [step, seed]);
          });
          return { lines, steps };
        };
        const names = () =>
          paths.map((path) =>
            [...Deno.readDirSync(dirname(path))].map((entry) => entry.name).toSorted()
          );
        await write(10);
        await write(20);
        await body({ paths, write, recover, names });
      } finally {
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

const numbered = (path: string, step: number) => join(dirname(path), `score-${step}.safetensors`);
const two = ["score-10.safetensors", "score.safetensors"];

generationTest(
  "writeGeneration() keeps the previous generation and no older one",
  async (place) => {
    assertEquals(place.names(), [two, two]);
    assertEquals(place.recover(), { lines: [], steps: [20, 20] });
    await place.write(30);
    await place.write(30); // A run that is stopped at once after it was resumed.
    assertEquals(place.names(), Array(2).fill(["score-20.safetensors", "score.safetensors"]));
  },
);

generationTest(
  "writeGeneration() leaves no file of a new generation if one of its files cannot be written",
  async (place) => {
    const { rename } = Deno;
    let renames = 0;
    // The first file fails at once, while the second is still being written.
    Deno.rename = async (from, to) => {
      if (renames++ === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await rename(from, to);
    };
    try {
      await assertRejects(() => place.write(30), UserError, "no space left");
    } finally {
      Deno.rename = rename;
    }
    const names = place.names();
    await new Promise((resolve) => setTimeout(resolve, 40));
    assertEquals([names, place.names()], [[two, two], [two, two]]);
    assertEquals(place.recover(), { lines: [], steps: [20, 20] });
  },
);

generationTest(
  "recoverGeneration() resumes the same step after a kill at any point",
  async (place) => {
    const { renameSync } = Deno;
    // Step 30: no file, one file, both files; then one and both in place. Then likewise step 40.
    for (const step of [30, 40]) {
      for (const written of [0, 1]) {
        const paths = place.paths.slice(0, written);
        for (const path of paths) Deno.writeFileSync(numbered(path, step), checkpointOf(step, 0));
        // A finished seed need not wait for the others.
        assertEquals(place.recover().steps, [
          written === 1 && step === 40 ? 40 : step - 10,
          step - 10,
        ]);
      }
      for (const placed of [0, 1, 2]) {
        let renames = 0;
        Deno.renameSync = (from, to) => {
          if (renames++ >= placed) throw new Error("killed");
          renameSync(from, to);
        };
        await place.write(step).catch(() => {});
        Deno.renameSync = renameSync;
        assertEquals(place.recover(), { lines: [], steps: [step, step] });
        assertEquals(place.names().map((names) => names.length), [2, 2]);
      }
    }
  },
);

const damages: [what: string, damage: (path: string) => void, message: string][] = [
  ["with a flipped bit in a tensor", (path) => {
    const bytes = Deno.readFileSync(path);
    bytes[bytes.length - 2]! ^= 1;
    Deno.writeFileSync(path, bytes);
  }, "its checksum differs"],
  ["that is truncated", (path) => Deno.truncateSync(path, 100), "truncated"],
  ["of another run", (path) => {
    Deno.writeFileSync(path, checkpointOf(20, 1, "another"));
  }, "belongs to another run"],
  ["of step 99999", (path) => {
    Deno.writeFileSync(path, checkpointOf(99999, 1));
  }, "needs a number up to 40, found 99999"],
  ["of step abc", (path) => {
    Deno.writeFileSync(path, checkpointOf("abc", 1));
  }, 'metadata "step" needs a whole number, found abc'],
  ["of step 19.5", (path) => {
    Deno.writeFileSync(path, checkpointOf("19.5", 1));
  }, 'metadata "step" needs a whole number, found 19.5'],
];
for (const [what, damage, message] of damages) {
  generationTest(
    `recoverGeneration() refuses a file ${what} and uses the previous generation`,
    (place) => {
      damage(place.paths[1]);
      const { lines, steps } = place.recover();
      assertEquals(steps, [10, 10]);
      assertEquals(lines.length, 1);
      assertStringIncludes(lines[0]!, basename(place.paths[1]));
      assertStringIncludes(lines[0]!, message);
      assertEquals(place.names(), Array(2).fill(["score.safetensors"]));
    },
  );
}

generationTest(
  "recoverGeneration() trains only the damaged one of finished replicas again",
  async (place) => {
    await place.write(40);
    damages[0]![1](place.paths[1]);
    assertEquals(place.recover().steps, [40, 20]);
  },
);

generationTest(
  "recoverGeneration() starts again without a usable file, and keeps the refused one",
  ({ paths, recover, names }) => {
    for (const path of [paths[1], numbered(paths[1], 10)]) damages[0]![1](path);
    const { lines, steps } = recover();
    assertEquals(steps, [null, null]);
    assertStringIncludes(lines.at(-1)!, "so the stage starts again (found steps 10, 20)");
    assertEquals(names(), [[], ["score.safetensors.refused"]]);
    assertEquals(recover(), { lines: [], steps: [null, null] });
  },
);
