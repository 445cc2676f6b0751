import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { UserError } from "../../lib/errors.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { upgradeMetrics } from "../../lib/runs/metrics_upgrade.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);
const former = fileURLToPath(
  new URL("../fixtures/runs/version-0.2/metrics.jsonl", import.meta.url),
);

Deno.test({
  name: "upgradeMetrics() splits rows of version 0.2 by seed and keeps the original file",
  ignore,
  fn: async () => {
    const directory = new RunDirectory(Deno.makeTempDirSync());
    const axes = { directory, algorithm: srpo, hyperparameters: {}, seeds: [2, 5], variants: [] };
    try {
      assertEquals(await upgradeMetrics(axes), null);
      const text = Deno.readTextFileSync(former);
      // `replicas` is present if only some were trained. Evaluations had no episodes.
      const more = '{"stage":"critic","step":21,"replicas":[1],"loss_v":0.5}\n' +
        '{"stage":"critic","step":21,"eval_return":[1,2]}\n';
      Deno.writeTextFileSync(directory.metrics, text + more);
      const kept = join(directory.path, "metrics-0.2.jsonl");
      assertEquals(await upgradeMetrics(axes), kept);
      assertEquals(Deno.readTextFileSync(kept), text + more);
      const rows = readMetrics(directory.metrics);
      const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      assertEquals(rows.length, 2 * lines.length + 1);
      assertEquals(
        rows.slice(0, 2).map(({ seed, step, metrics }) => [seed, step, metrics["loss_v"]!]),
        [[2, 1, lines[0].loss_v[0]], [5, 1, lines[0].loss_v[1]]],
      );
      assertEquals([rows.at(-1)!.seed, rows.at(-1)!.metrics], [5, { loss_v: 0.5 }]);
      assertEquals(await upgradeMetrics(axes), null);
    } finally {
      Deno.removeSync(directory.path, { recursive: true });
    }
  },
});

Deno.test({
  name: "upgradeMetrics() keeps the file when the disk is full, and converts it later",
  ignore,
  fn: async () => {
    const directory = new RunDirectory(Deno.makeTempDirSync());
    const axes = { directory, algorithm: srpo, hyperparameters: {}, seeds: [2, 5], variants: [] };
    const { write } = Deno.FsFile.prototype;
    try {
      Deno.copyFileSync(former, directory.metrics);
      Deno.FsFile.prototype.write = () =>
        Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
      await assertRejects(() => upgradeMetrics(axes), UserError, "no space left");
      Deno.FsFile.prototype.write = write;
      assertEquals(Deno.readTextFileSync(directory.metrics), Deno.readTextFileSync(former));
      await upgradeMetrics(axes);
      assertEquals(readMetrics(directory.metrics)[0]!.seed, 2);
    } finally {
      Deno.FsFile.prototype.write = write;
      Deno.removeSync(directory.path, { recursive: true });
    }
  },
});

Deno.test({
  name: "upgradeMetrics() leaves a file that is damaged, for the reader to refuse",
  ignore,
  fn: async () => {
    const directory = new RunDirectory(Deno.makeTempDirSync());
    const axes = { directory, algorithm: srpo, hyperparameters: {}, seeds: [2, 5], variants: [] };
    try {
      for (const line of ['{"a":1}', "null", "{", '{"stage":"critics","step":1}']) {
        Deno.writeTextFileSync(directory.metrics, `${line}\n`);
        assertEquals(await upgradeMetrics(axes), null);
        assertThrows(
          () => readMetrics(directory.metrics),
          UserError,
          `${directory.metrics}, line 1`,
        );
      }
    } finally {
      Deno.removeSync(directory.path, { recursive: true });
    }
  },
});
