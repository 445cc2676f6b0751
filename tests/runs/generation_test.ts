import { assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { recoverGeneration, writeGeneration } from "../../lib/runs/generation.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const bytes = (...values: number[]) => new Uint8Array(values);

interface Place {
  readonly run: RunDirectory;
  /** Paths of the checkpoints of two seeds. */
  readonly paths: readonly [string, string];
  /** Writes a generation of two files, each with the step and its seed. */
  readonly write: (step: number) => Promise<void>;
  /** Recovers, and returns the messages and the contents of the checkpoints. */
  readonly recover: () => { lines: string[]; found: (readonly number[] | null)[] };
  /** Returns the names of all files in the `checkpoints` folders. */
  readonly names: () => string[];
}

/** Tests with a run of seeds 0 and 1 that has the generation of step 10. */
function generationTest(name: string, body: (place: Place) => void | Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const root = Deno.makeTempDirSync();
      try {
        const run = new RunDirectory(root);
        const folders = [run, run.replica(0), run.replica(1)];
        for (const { path } of folders) {
          Deno.mkdirSync(join(path, "checkpoints"), { recursive: true });
        }
        const paths = [0, 1].map((seed) => run.replica(seed).checkpoint("score")) as [
          string,
          string,
        ];
        const write = (step: number) =>
          writeGeneration(
            run,
            "score",
            step,
            new Map(paths.map((path, seed) => [path, bytes(step, seed)])),
          );
        const recover = () => {
          const lines: string[] = [];
          recoverGeneration(run, "score", paths, (line) => lines.push(line));
          const found = paths.map((path) => existing(path));
          return { lines, found };
        };
        const names = () =>
          folders.flatMap(({ path }) =>
            [...Deno.readDirSync(join(path, "checkpoints"))].map((entry) => entry.name)
          );
        await write(10);
        await body({ run, paths, write, recover, names });
      } finally {
        Deno.removeSync(root, { recursive: true });
      }
    },
  });
}

const pending = (path: string, step: number) => join(dirname(path), `score-${step}.safetensors`);

/** Simulates a kill after all files of step 20, and their manifest, were written. */
async function listed({ run, paths, write }: Place): Promise<void> {
  const before = paths.map((path) => Deno.readFileSync(path));
  const rename = Deno.renameSync;
  const manifest: string[] = [];
  Deno.renameSync = (from, to) => {
    manifest[0] ??= Deno.readTextFileSync(run.generation("score"));
    rename(from, to);
  };
  try {
    await write(20);
  } finally {
    Deno.renameSync = rename;
  }
  paths.forEach((path, seed) => {
    Deno.renameSync(path, pending(path, 20));
    Deno.writeFileSync(path, before[seed]!);
  });
  Deno.writeTextFileSync(run.generation("score"), manifest[0]!);
}

generationTest("writeGeneration() leaves only the checkpoints", (place) => {
  assertEquals(place.names(), ["score.safetensors", "score.safetensors"]);
  assertEquals(place.recover(), { lines: [], found: [[10, 0], [10, 1]] });
});

generationTest(
  "recoverGeneration() keeps the previous generation if the new one is incomplete",
  (place) => {
    Deno.writeFileSync(pending(place.paths[0], 20), bytes(20, 0));
    assertEquals(place.recover(), { lines: [], found: [[10, 0], [10, 1]] });
    assertEquals(place.names(), ["score.safetensors", "score.safetensors"]);
  },
);

generationTest(
  "recoverGeneration() publishes a complete generation after a kill at any point",
  async (place) => {
    for (const moved of [0, 1, 2]) {
      await place.write(10);
      await listed(place);
      for (const path of place.paths.slice(0, moved)) Deno.renameSync(pending(path, 20), path);
      assertEquals(place.recover(), { lines: [], found: [[20, 0], [20, 1]] });
      assertEquals(place.names(), ["score.safetensors", "score.safetensors"]);
    }
  },
);

for (
  const [what, damage] of [
    ["deleted", (path: string) => Deno.removeSync(path)],
    ["changed", (path: string) => Deno.writeFileSync(path, bytes(20, 7))],
    ["truncated", (path: string) => Deno.truncateSync(path, 1)],
  ] as const
) {
  generationTest(
    `recoverGeneration() keeps the previous generation if a new file was ${what}, and says so`,
    async (place) => {
      await listed(place);
      damage(pending(place.paths[1], 20));
      const { lines, found } = place.recover();
      assertEquals(found, [[10, 0], [10, 1]]);
      assertEquals(lines.length, 1);
      assertStringIncludes(lines[0]!, "score: the checkpoints of step 20 are not used");
      assertEquals(place.names(), ["score.safetensors", "score.safetensors"]);
    },
  );
}

function existing(path: string): readonly number[] | null {
  try {
    return [...Deno.readFileSync(path)];
  } catch {
    return null;
  }
}
