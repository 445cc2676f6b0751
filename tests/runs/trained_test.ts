/** Tests which of a run's files `openTrained()` takes a policy from. */
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { encode } from "../../lib/runs/safetensors.ts";
import { openTrained } from "../../lib/runs/trained.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { mlpTensors } from "../nn/host/networks.ts";

Deno.test({
  name: "openTrained() takes the checkpoint if the policy file is of an earlier step",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const run = new RunDirectory(folder);
      await run.writeConfig({
        version: "0.3.0",
        task: "maze2d-umaze-v1",
        seeds: [0],
        stages: ["critic", "behavior", "policy"],
        data: { file: "data.hdf5", sha256: "00", rows: 2 },
        adapter: {},
        hyperparameters: { policySteps: 100 },
      });
      Deno.mkdirSync(join(folder, "checkpoints"));
      const write = (path: string, prefix: string, step: number | null) =>
        Deno.writeFileSync(
          path,
          encode(mlpTensors(`${prefix}net`, 4, 8, 2), step === null ? {} : { step: String(step) }),
        );
      const load = () => {
        const { files, notes } = openTrained(folder).load();
        return { files, notes };
      };
      const unfinished = (step: number) => [
        `the policy stage is not finished; its checkpoint is of step ${step} of 100`,
      ];
      const checkpoint = run.checkpoint("policy");

      write(run.policy, "", 40);
      assertEquals(load(), { files: [run.policy], notes: unfinished(40) });
      write(checkpoint, "policy.", 40);
      assertEquals(load(), { files: [run.policy], notes: unfinished(40) });
      // A resumed run was killed after a later checkpoint.
      write(checkpoint, "policy.", 70);
      assertEquals(load(), { files: [checkpoint], notes: unfinished(70) });
      assertEquals(openTrained(folder).actorFile().source, checkpoint);
      write(checkpoint, "policy.", 100);
      write(run.policy, "", 100);
      assertEquals(load(), { files: [run.policy], notes: [] });
      // Files of versions before 0.4 name no step.
      write(run.policy, "", null);
      assertEquals(load(), { files: [checkpoint], notes: [] });
    }),
});
