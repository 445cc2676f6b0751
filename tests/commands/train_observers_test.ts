import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { observersOf } from "../../lib/commands/train_observers.ts";
import type { Plan } from "../../lib/commands/train_plan.ts";
import { findTask } from "../../lib/data/catalog.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { MetricsFile } from "../../lib/runs/metrics.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";

Deno.test({
  name: "observersOf() warns once if TensorBoard's files cannot be written, and training goes on",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const directory = new RunDirectory(folder);
      using metrics = MetricsFile.create(directory.metrics);
      const axes = { directory, algorithm: srpo, hyperparameters: {}, seeds: [0], variants: [] };
      const plan = { task: findTask("hopper-medium-v2"), seeds: [0], stages: ["critic"] };
      const said: string[] = [];
      const observers = await observersOf(
        axes,
        plan as unknown as Plan,
        { live: false, tensorboard: true },
        (line) => said.push(line),
      );
      // A file stands where the folder of the event files would be.
      Deno.writeTextFileSync(join(folder, "tensorboard"), "");
      metrics.append({
        stage: "critic",
        step: 1,
        seed: 0,
        variant: null,
        metrics: { loss_q: 1 },
        episodes: null,
      });
      await observers[Symbol.asyncDispose]();
      assertEquals(said.length, 1);
      assertEquals(
        said[0]!.startsWith("warning  TensorBoard's files are no longer written"),
        true,
      );
    }),
});
