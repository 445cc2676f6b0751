import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import {
  createRunDirectory,
  openRunDirectory,
  RunDirectory,
  seedsLabel,
} from "../../lib/runs/directory.ts";

const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted" ||
  Deno.permissions.querySync({ name: "read" }).state !== "granted";

const config = {
  version: "0.1.0",
  task: "hopper-medium-v2",
  seeds: [0, 1],
  stages: ["critic", "behavior", "policy"],
  data: { file: "a.hdf5", sha256: "00ff".repeat(16), rows: 5 },
  adapter: { name: "llvmpipe", software: true },
  hyperparameters: { tau: 0.7 },
};

function folderTest(name: string, body: (folder: string) => void | Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const folder = Deno.makeTempDirSync();
      try {
        await body(folder);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

Deno.test("seedsLabel() abbreviates ranges and long lists", () => {
  assertEquals(seedsLabel([3]), "3");
  assertEquals(seedsLabel([0, 1, 2, 3, 4, 5]), "0-5");
  assertEquals(seedsLabel([0, 2, 7]), "0,2,7");
  assertEquals(seedsLabel([2, 1]), "2,1");
  assertEquals(seedsLabel(Array.from({ length: 40 }, (_, i) => 2 * i)), "40-seeds");
});

folderTest("createRunDirectory() continues from the largest existing number", (folder) => {
  const root = join(folder, "runs");
  const make = () => createRunDirectory({ task: "hopper-medium-v2", seeds: [0], root }).path;
  assertEquals(make(), join(root, "hopper-medium-v2-0-1"));
  assertEquals(make(), join(root, "hopper-medium-v2-0-2"));
  Deno.mkdirSync(join(root, "hopper-medium-v2-0-9"));
  Deno.mkdirSync(join(root, "hopper-medium-v2-0-x"));
  Deno.removeSync(join(root, "hopper-medium-v2-0-1"), { recursive: true });
  assertEquals(make(), join(root, "hopper-medium-v2-0-10"));
});

folderTest("createRunDirectory() turns a task with path characters into a folder name", (root) => {
  const { path } = createRunDirectory({ task: "../a b/c.hdf5", seeds: [0, 1], root });
  assertEquals(path, join(root, ".._a_b_c.hdf5-0-1-1"));
});

folderTest(
  "createRunDirectory() uses --out, and rejects one that holds a run",
  async (f) => {
    const out = join(f, "deep", "run");
    const run = createRunDirectory({ task: "t", seeds: [0], out });
    assertEquals(run.path, out);
    await run.writeConfig(config);
    const error = assertThrows(() => createRunDirectory({ task: "t", seeds: [0], out }), UserError);
    assertStringIncludes(error.message, `${out} already holds a run`);
    assertStringIncludes(error.message, `--resume ${out}`);
  },
);

folderTest(
  "createRunDirectory() rejects a folder with other files, but accepts an empty one",
  (f) => {
    const out = join(f, "docs");
    Deno.mkdirSync(out);
    assertEquals(createRunDirectory({ task: "t", seeds: [0], out }).path, out);
    Deno.writeTextFileSync(join(out, "guide.md"), "");
    const error = assertThrows(() => createRunDirectory({ task: "t", seeds: [0], out }), UserError);
    assertStringIncludes(
      error.message,
      `the folder ${out} is not empty and is not a run (it contains guide.md`,
    );
    assertEquals([...Deno.readDirSync(out)].map(({ name }) => name), ["guide.md"]);
  },
);

folderTest("createRunDirectory() rejects an unwritable folder and names it", (folder) => {
  const file = join(folder, "file");
  Deno.writeTextFileSync(file, "");
  for (const out of [file, join(file, "below")]) {
    const error = assertThrows(() => createRunDirectory({ task: "t", seeds: [0], out }), UserError);
    assertStringIncludes(error.message, `cannot write to the output folder ${out}: `);
  }
  const error = assertThrows(
    () => createRunDirectory({ task: "t", seeds: [0], root: file }),
    UserError,
  );
  assertStringIncludes(error.message, `cannot write to the output folder ${file}: `);
});

folderTest("RunDirectory.readConfig() returns what writeConfig() wrote", async (root) => {
  const run = createRunDirectory({ task: "t", seeds: [0], root });
  await run.writeConfig(config);
  assertEquals(run.readConfig(), config);
  assertEquals(openRunDirectory(run.path).path, run.path);
  assertEquals([...Deno.readDirSync(run.path)].map(({ name }) => name).sort(), [
    "config.json",
  ]);
});

folderTest("openRunDirectory() rejects folders that are not runs", (folder) => {
  const refused = (message: string) => {
    const error = assertThrows(() => openRunDirectory(folder), UserError);
    assertStringIncludes(error.message, message);
  };
  refused(`${folder} is not a run directory: cannot read ${join(folder, "config.json")}`);
  Deno.writeTextFileSync(join(folder, "config.json"), "{");
  refused("config.json is not JSON");
  for (const [field, value] of Object.entries(config)) {
    const { [field as keyof typeof config]: _, ...rest } = config;
    Deno.writeTextFileSync(join(folder, "config.json"), JSON.stringify(rest));
    refused(`field "${field}" is missing`);
    assertEquals(value === undefined, false);
  }
  for (
    const [change, message] of [
      [{ task: 5 }, 'field "task" needs a text, found 5'],
      [
        { seeds: [] },
        'field "seeds" needs a list of one or more distinct whole numbers from 0, found []',
      ],
      [{ stages: ["critic", 1] }, 'field "stages[1]" needs a name, found 1'],
      [{ data: { ...config.data, rows: "5" } }, 'field "data.rows" needs a whole number from 0'],
      [{ data: { file: "a" } }, 'field "data.sha256" is missing'],
      [
        { evaluation: { every: 0.5, episodes: 1 } },
        'field "evaluation.every" needs a whole number',
      ],
      [
        { evaluation: { every: 0, episodes: 1 } },
        'field "evaluation.every" needs a whole number from 1, found 0',
      ],
      [{ given: [{ stage: "critic" }] }, 'field "given[0].seed" is missing'],
      [{ cache: "yes" }, 'field "cache" needs true or false, found "yes"'],
      [{ sede: [1] }, 'field "sede" is unknown to this version'],
    ] as const
  ) {
    Deno.writeTextFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...change }));
    refused(`${join(folder, "config.json")}: ${message}`);
  }
  Deno.writeTextFileSync(join(folder, "config.json"), "null");
  refused("config.json: expected a JSON object, found null");
});

folderTest(
  "openRunDirectory() rejects the folder of one seed or variant of a run",
  async (root) => {
    const run = createRunDirectory({ task: "t", seeds: [0], root });
    const part = run.replica(1);
    Deno.mkdirSync(part.path);
    await part.writeConfig({ ...config, seeds: [1] });
    await run.writeConfig({ ...config, seeds: [0, 1] });
    const error = assertThrows(() => openRunDirectory(part.path), UserError);
    assertStringIncludes(error.message, `${part.path} is part of the run ${run.path}`);
    assertStringIncludes(error.message, `--resume ${run.path}`);
    // Of a damaged run, no part can be resumed either.
    Deno.writeTextFileSync(run.config, "{");
    assertThrows(() => openRunDirectory(part.path), UserError, "is not JSON");
    // A run of one seed may have any name.
    await run.writeConfig({ ...config, seeds: [0] });
    assertEquals(openRunDirectory(part.path).path, part.path);
  },
);

Deno.test("RunDirectory.checkpoint() and policy are different paths", () => {
  const run = new RunDirectory("r");
  assertEquals(run.checkpoint("policy"), join("r", "checkpoints", "policy.safetensors"));
  assertEquals(run.policy, join("r", "policy.safetensors"));
  assertEquals(run.picture("maze"), join("r", "maze.svg"));
  assertEquals(run.metrics, join("r", "metrics.jsonl"));
});
