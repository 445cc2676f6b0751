import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname, join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { createRunDirectory, openRunDirectory, RunDirectory } from "../../lib/runs/directory.ts";
import { clearRemains, RunLock } from "../../lib/runs/lock.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

function lockTest(name: string, body: (run: RunDirectory) => void | Promise<void>) {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const folder = Deno.makeTempDirSync();
      try {
        await body(new RunDirectory(folder));
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    },
  });
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

lockTest(
  "RunLock.take() refuses a second owner, names the first, and is free afterwards",
  (run) => {
    Deno.writeTextFileSync(run.config, "{}");
    {
      using first = RunLock.take(run);
      assertEquals(first.problem, null);
      const { message } = assertThrows(() => RunLock.take(run), UserError);
      assertStringIncludes(message, `${run.path} is in use by process ${Deno.pid}`);
    }
    assertEquals(names(run.path), ["config.json"]);
    RunLock.take(run)[Symbol.dispose]();
  },
);

lockTest("RunLock.take() ignores the file of a process that was killed", (run) => {
  Deno.writeTextFileSync(run.config, "{}");
  Deno.writeTextFileSync(run.lock, '{"pid":1,"host":null,"since":"2026-01-02T03:04:05.678Z"}\n');
  using lock = RunLock.take(run);
  assertEquals(lock.problem, null);
  assertEquals(JSON.parse(Deno.readTextFileSync(run.lock)).pid, Deno.pid);
});

lockTest("createRunDirectory() takes the beginning of a run that was killed", (run) => {
  const out = join(run.path, "run");
  const again = () => createRunDirectory({ task: "t", seeds: [0], out });
  const begun = again();
  // Killed after the folder was made; then with a lock; then with everything but the settings.
  assertEquals(again().path, out);
  Deno.writeTextFileSync(begun.lock, "");
  assertEquals(again().path, out);
  {
    using _lock = RunLock.take(begun);
    Deno.writeTextFileSync(begun.log, "begun");
    const given = begun.replica(3).checkpoint("critic");
    Deno.mkdirSync(dirname(given), { recursive: true });
    Deno.writeTextFileSync(given, "");
  }
  // A file that is not the beginning's would be removed with it.
  Deno.writeTextFileSync(join(out, "mine.csv"), "");
  assertThrows(again, UserError, "is not empty and is not a run (it contains mine.csv)");
  Deno.removeSync(join(out, "mine.csv"));
  const { message } = assertThrows(() => openRunDirectory(out), UserError);
  assertStringIncludes(message, `start it again with --out ${out}`);
  assertEquals(again().path, out);
  using _lock = RunLock.take(begun);
  clearRemains(begun);
  assertEquals(names(out), ["run.lock"]);
});

lockTest("createRunDirectory() refuses a folder with another program's run.lock", (run) => {
  Deno.writeTextFileSync(run.lock, "[[package]]");
  Deno.writeTextFileSync(join(run.path, "thesis.tex"), "");
  assertThrows(
    () => createRunDirectory({ task: "t", seeds: [0], out: run.path }),
    UserError,
    "is not empty and is not a run (it contains thesis.tex)",
  );
});

lockTest("clearRemains() removes temporary files of a run and nothing else", (run) => {
  const kept = [run.config, run.checkpoint("critic"), run.replica(3).checkpoint("critic")];
  for (const path of kept) {
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeTextFileSync(path, "");
    Deno.writeTextFileSync(`${path}.4711.tmp`, "");
  }
  clearRemains(run);
  assertEquals(kept.flatMap((path) => names(dirname(path))), [
    ...["checkpoints", "config.json", "seed-3"],
    ...["critic.safetensors", "critic.safetensors"],
  ]);
});
