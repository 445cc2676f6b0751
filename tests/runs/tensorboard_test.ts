import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { MetricsFile } from "../../lib/runs/metrics.ts";
import { TensorBoardFiles } from "../../lib/runs/tensorboard.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";

/** Prints the scalars that TensorBoard reads from a folder, as JSON. */
const reader = `
import json, sys
from pathlib import Path
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
    found[folder.name] = {
        tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
print(json.dumps(found))
`;

/** A Python that has the package tensorboard; null if there is none. */
const python = await pythonWithTensorBoard();

async function pythonWithTensorBoard(): Promise<string | null> {
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return null;
  for (const path of [projectFile(".venv/bin/python"), "python3"]) {
    try {
      const { success } = await new Deno.Command(path, {
        args: ["-c", "import importlib.util as i; exit(i.find_spec('tensorboard') is None)"],
        stderr: "null",
      }).output();
      if (success) return path;
    } catch { /* not there */ }
  }
  return null;
}

async function scalarsIn(folder: string): Promise<Record<string, Record<string, number[][]>>> {
  const { success, stdout, stderr } = await new Deno.Command(python!, {
    args: ["-c", reader, folder],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "TensorBoardFiles: TensorBoard reads every metric once, also after a resumed stage" +
    (python === null ? " (ignored: no Python with the package tensorboard)" : ""),
  ignore: python === null || !mayUseFiles,
  fn: () =>
    withFolder(async (folder) => {
      const metrics = join(folder, "metrics.jsonl");
      const files = new TensorBoardFiles(join(folder, "tensorboard"), metrics);
      const row = { stage: "critic", variant: null, episodes: null };
      const time = "2026-01-02T03:04:05.500Z";
      {
        using file = MetricsFile.create(metrics);
        files.update();
        for (const step of [0, 300, 70_000]) {
          file.copy({ ...row, time, step, seed: 0, metrics: { loss: step / 4, v: -1.5 } });
          file.copy({ ...row, time, step, seed: 1, metrics: { loss: 1e-3 } });
        }
        files.update();
      }
      {
        using file = await MetricsFile.resume(metrics, ({ step }) => step < 70_000);
        file.copy({ ...row, time, step: 400, seed: 0, metrics: { loss: 8 } });
        file.copy({
          time,
          stage: "policy",
          step: 5,
          seed: 0,
          variant: "beta-0.1",
          metrics: { score: 42 },
          episodes: [],
        });
        files.update();
        files.update();
      }
      const seconds = Date.parse(time) / 1000;
      assertEquals(await scalarsIn(join(folder, "tensorboard")), {
        "seed-0": {
          "critic/loss": [[0, 0, seconds], [300, 75, seconds], [400, 8, seconds]],
          "critic/v": [[0, -1.5, seconds], [300, -1.5, seconds]],
        },
        "seed-0-beta-0.1": { "policy/score": [[5, 42, seconds]] },
        "seed-1": {
          "critic/loss": [0, 300].map((step) => [step, Math.fround(1e-3), seconds]),
        },
      });
    }),
});
