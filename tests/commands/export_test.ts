/** Tests which policies `export` writes, and its messages. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportPolicy } from "../../lib/commands/export.ts";
import { UserError } from "../../lib/errors.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { encode } from "../../lib/runs/safetensors.ts";
import { mlpTensors, noiseModelTensors } from "../nn/host/networks.ts";
import { printed } from "./printed.ts";

const hopper = fileURLToPath(new URL("../../data/hopper-medium.safetensors", import.meta.url));

function folderTest(name: string, fn: (folder: string) => Promise<void>): void {
  const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted";
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const folder = await Deno.makeTempDir();
      try {
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

folderTest("export writes every format that is asked for", async (folder) => {
  const file = (name: string) => join(folder, name);
  const output = await printed(() =>
    exportPolicy([hopper, "--onnx", file("a.onnx"), "--js", file("a.mjs"), "--c", file("a.h")])
  );
  assertStringIncludes(output, "input  observation: 11 numbers");
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
    "a.h",
    "a.mjs",
    "a.onnx",
  ]);
});

folderTest("export needs a format and a folder to write to", async (folder) => {
  await assertRejects(
    () => exportPolicy([hopper]),
    UserError,
    "export needs a format: --onnx FILE",
  );
  await assertRejects(
    () => exportPolicy([folder, "--pth", folder, "--policy", "nonsense"]),
    UserError,
    "--pth writes the networks of all stages",
  );
  const missing = join(folder, "absent", "a.onnx");
  await assertRejects(() => exportPolicy([hopper, "--onnx", missing]), UserError, missing);
});

folderTest("export takes the actors of a run that are one network", async (folder) => {
  const run = new RunDirectory(folder);
  Deno.mkdirSync(join(folder, "checkpoints"));
  await run.writeConfig({
    version: "0.3.0",
    task: "maze2d-open-v0",
    seeds: [0],
    stages: ["critic", "behavior", "policy"],
    data: { file: "data.hdf5", sha256: "0", rows: 2 },
    adapter: {},
    hyperparameters: {},
  });
  const write = (path: string, tensors: Parameters<typeof encode>[0]) =>
    Deno.writeFileSync(path, encode(tensors));
  const critic = mlpTensors("policy.net", 4, 8, 2);
  write(run.checkpoint("critic"), new Map([...critic, ...mlpTensors("q0_target.q1", 6, 8, 1)]));
  write(run.checkpoint("behavior"), noiseModelTensors("diffusion", 4, 2, 8));
  write(run.policy, mlpTensors("net", 4, 9, 2));

  const js = join(folder, "actor.mjs");
  const described = (...args: string[]) =>
    printed(() => exportPolicy([folder, "--js", js, ...args]));
  assertStringIncludes(await described(), "actor  4-9-2");
  assertStringIncludes(await described("--policy", "awr"), "actor  4-8-2");
  await assertRejects(
    () => described("--policy", "idql"),
    UserError,
    "is more than one network, so it has no actor file; available: --policy srpo, --policy awr",
  );
});
