import { assert, assertEquals } from "@std/assert";
import { algorithms } from "../lib/algorithms/registry.ts";
import { tasks } from "../lib/data/catalog.ts";
import { alpha, sigma } from "../lib/diffusion/schedule.ts";
import { normalizedScore } from "../lib/envs/scores.ts";
import glossary from "../docs/glossary.md" with { type: "text" };

/** The bold terms at the start of the entries. */
const entries = [...glossary.matchAll(/^\*\*(.+?)\*\*/gm)].map(([, entry]) => entry!).join("\n");

Deno.test("docs/glossary.md: explains every symbol and every curve, and names only existing flags", () => {
  const flags = ["eval-every"];
  for (const { title, hyperparameters, stages } of algorithms.values()) {
    for (const { symbol } of Object.values(hyperparameters.rows)) {
      assert(entries.includes(symbol), `no entry for ${symbol} of ${title}`);
    }
    for (const { name, shown } of stages) {
      // A curve is listed under its stage, or under the algorithm if that has only one stage.
      const subject = stages.length > 1 ? name : title.toLowerCase();
      for (const loss of shown) {
        const entry = entries.split("\n").find((line) =>
          line.toLowerCase().startsWith(`${subject}, `) && line.includes(`\`${loss}\``)
        );
        assert(entry !== undefined, `no entry for ${loss} of the ${name} stage of ${title}`);
      }
    }
    flags.push(...hyperparameters.names.map((name) => hyperparameters.flagName(name)));
  }
  for (const [, flag] of glossary.matchAll(/\(`--([\w-]+)`/g)) {
    assert(flags.includes(flag!), `there is no --${flag}`);
  }
});

Deno.test("docs/glossary.md: numbers match the noise schedule and the catalog", () => {
  const rows = [...glossary.matchAll(/^\| (0\.\d+) +\| (\S+) +\| (\S+) +\|$/gm)];
  assertEquals(rows.length, 5);
  for (const [, t, a, s] of rows) {
    assertEquals([a, s], [alpha(Number(t)).toFixed(4), sigma(Number(t)).toFixed(4)]);
  }
  const { min, max } = tasks.get("maze2d-umaze-v1")!.referenceReturn;
  assert(glossary.includes(`(${min} and ${max})`));
  assert(glossary.includes(normalizedScore(0, { min, max }).toFixed(1).replace("-", "−")));
  const hopper = tasks.get("hopper-medium-v2")!.referenceReturn;
  assert(glossary.includes(`(${hopper.min.toFixed(1).replace("-", "−")} and ${hopper.max})`));
});
