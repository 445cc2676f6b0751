/** Commands whose output is on a disk that becomes full. The disk is a small tmpfs. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { readMetrics } from "../../lib/runs/metrics.ts";
import { projectFile } from "../data/files.ts";
import { mayMount, SmallDisk } from "../support/small_disk.ts";
import { printed } from "./printed.ts";

const mounting = mayMount();
const ignore = !mounting ||
  Deno.permissions.querySync({ name: "env" }).state !== "granted";
const named = (name: string) => mounting ? name : `${name} (ignored: needs root on Linux)`;

/** Runs a command that must end with the message of a full disk. */
async function assertFull(body: () => Promise<unknown>): Promise<void> {
  const { message } = await assertRejects(() => printed(body), UserError);
  assertStringIncludes(message.toLowerCase(), "no space left on");
}

/**
 * Runs a command that writes the file `name`, on disks that grow from one that is full, until it
 * succeeds. Before that, no part of the file may appear.
 *
 * @returns The number of failures.
 */
async function fill(
  name: string,
  kibibytes: number,
  write: (path: string) => Promise<unknown>,
): Promise<number> {
  using whole = new SmallDisk(4096);
  using disk = new SmallDisk(4);
  Deno.writeFileSync(join(disk.path, "filler"), new Uint8Array(4096));
  await printed(() => write(join(whole.path, name)));
  const size = Deno.statSync(join(whole.path, name)).size;
  for (let failures = 0;; failures++, disk.grow(kibibytes)) {
    // The filler takes 4 KiB, and the last page of the file may be partly used.
    if (1024 * (disk.kibibytes - 4) >= size + 8192) {
      await printed(() => write(join(disk.path, name)));
      assertEquals(Deno.statSync(join(disk.path, name)).size, size);
      return failures;
    }
    if (1024 * (disk.kibibytes - 4) < size) {
      await assertFull(() => write(join(disk.path, name)));
      assertEquals(disk.names(), ["filler"], `${disk.kibibytes} KiB`);
    }
  }
}

Deno.test({
  name: named("data collect and data convert on a full disk say so and leave no part of a file"),
  ignore,
  fn: async () => {
    const { dataCollect } = await import("../../lib/commands/data_collect.ts");
    const { dataConvert } = await import("../../lib/commands/data_convert.ts");
    const collect = ["--task", "maze2d-umaze-v1", "--policy", "random", "--steps", "2000"];
    assert(await fill("a.hdf5", 20, (out) => dataCollect([...collect, "--out", out])) > 3);
    const minari = projectFile("tests/fixtures/foreign/minari-pendulum");
    assert(await fill("b.hdf5", 4, (out) => dataConvert([minari, "--out", out])) > 3);
    using disk = new SmallDisk(16);
    const old = join(disk.path, "old.hdf5");
    Deno.writeTextFileSync(old, "old");
    await assertFull(() => dataCollect([...collect, "--out", old, "--overwrite"]));
    assertEquals(Deno.readTextFileSync(old), "old");
  },
});

Deno.test({
  name: named("train on a full disk stops with a message, and continues with the same bits"),
  ignore,
  fn: async () => {
    const { train } = await import("../../lib/commands/train.ts");
    const { report } = await import("../../lib/commands/report.ts");
    const { exportPolicy } = await import("../../lib/commands/export.ts");
    const flags = [
      ...[projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5"), "--algorithm", "td3-bc"],
      ...["--task", "hopper-medium-v2", "--preset", "quick", "--seeds", "3,7", "--no-cache"],
      ...["--steps", "20", "--width", "8", "--batch-size", "8", "--matmul", "tiled"],
      ...["--eval-episodes", "1", "--eval-every", "10"],
    ];
    using large = new SmallDisk(16_384);
    const whole = join(large.path, "run");
    await printed(() => train([...flags, "--out", whole]));

    using disk = new SmallDisk(8);
    const run = join(disk.path, "run");
    for (let failures = 0;; failures++, disk.grow(20)) {
      const begun = existsSync(join(run, "config.json"));
      const attempt = () => train(begun ? ["--resume", run] : [...flags, "--out", run]);
      const failed = await printed(attempt).then(() => null, (error) => error);
      if (failed === null) {
        assert(failures > 3, `only ${failures} failures`);
        break;
      }
      assert(failed instanceof UserError, `${disk.kibibytes} KiB: ${failed.stack}`);
      assertStringIncludes(failed.message.toLowerCase(), "no space left on");
      assertEquals(filesIn(run).filter((name) => name.endsWith(".tmp")), []);
    }
    const trained = filesIn(whole).filter((name) => /\/(agent|policy)\.safetensors$/.test(name));
    assertEquals(trained.length, 4);
    for (const name of trained) {
      assertEquals(Deno.readFileSync(join(run, name)), Deno.readFileSync(join(whole, name)), name);
    }
    const rows = (path: string) =>
      readMetrics(join(path, "metrics.jsonl")).map(({ time: _, ...row }) => JSON.stringify(row));
    assertEquals(rows(run).toSorted(), rows(whole).toSorted());

    assert(await fill("report.html", 100, (out) => report([whole, "--out", out])) > 3);
    const policy = join(whole, "seed-3", "policy.safetensors");
    const onnx = (out: string) => exportPolicy([policy, "--onnx", out]);
    using full = new SmallDisk(4);
    Deno.writeFileSync(join(full.path, "filler"), new Uint8Array(4096));
    await assertFull(() => onnx(join(full.path, "policy.onnx")));
    assertEquals(full.names(), ["filler"]);
  },
});

/** Returns the paths of all files in a folder, from that folder on. */
function filesIn(folder: string, prefix = "/"): string[] {
  return [...Deno.readDirSync(folder + prefix)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(folder, `${prefix}${name}/`) : [prefix + name]
  );
}
