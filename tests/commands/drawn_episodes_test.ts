import { assertEquals } from "@std/assert";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { hyperparametersFor } from "../../lib/algorithms/srpo/hyperparameters.ts";
import { DrawnEpisodes } from "../../lib/commands/drawn_episodes.ts";
import { RunDirectory } from "../../lib/runs/directory.ts";
import { replicasOf, variantsOf } from "../../lib/runs/replicas.ts";
import type { EvaluatedActor, EvaluationRow } from "../../lib/runs/results.ts";

const hyperparameters = hyperparametersFor("maze2d", "quick");
const axes = {
  directory: new RunDirectory("run"),
  algorithm: srpo,
  hyperparameters,
  seeds: [0, 1],
  variants: variantsOf(srpo, hyperparameters, { betas: [0.1, 0.3] }),
};
const actors: EvaluatedActor[] = [
  { stage: "critic", policy: "awr", title: "AWR" },
  { stage: "policy", policy: "srpo", title: "SRPO" },
];
const evaluated = (stage: string, step: number) => ({ stage, step }) as EvaluationRow;

Deno.test("DrawnEpisodes.shows(): the first seed and variant of each stage", () => {
  const drawn = new DrawnEpisodes(axes);
  const shown = srpo.stages.map((stage) =>
    replicasOf(axes, stage).map((replica) => drawn.shows(stage.name, replica))
  );
  assertEquals(shown, [[true, false], [true, false], [true, false, false, false]]);
});

Deno.test("DrawnEpisodes.of(): leaves out actors that another process evaluated last", () => {
  const drawn = new DrawnEpisodes(axes);
  drawn.add("critic", 10, new Map([[7, [0, 0]]]));
  drawn.add("critic", 20, new Map([[7, [1, 1]]]));
  drawn.add("policy", 10, new Map([[7, [2, 2]]]));
  const rows = [evaluated("critic", 10), evaluated("critic", 20), evaluated("policy", 30)];
  assertEquals(drawn.of(actors, rows), new Map([["AWR", new Map([[7, [1, 1]]])]]));
});
