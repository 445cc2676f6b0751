/** Layers above the algorithms use them only through the registry. */
import { assert, assertEquals } from "@std/assert";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { algorithms } from "../../lib/algorithms/registry.ts";
import { Engine } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { ReplayBuffer } from "../../lib/data/replay_buffer.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ignore = Deno.permissions.querySync({ name: "read", path: root }).state !== "granted";
const folders = ["lib/runs", "lib/commands", "lib/report", "lib/sweep"];
/** Modules from which only types may be imported. */
const types = ["algorithm.ts", "hyperparameters.ts", "policy_parts.ts"];

function* filesIn(folder: string): Generator<{ path: string; text: string }> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* filesIn(path);
    else if (name.endsWith(".ts")) {
      yield { path: relative(root, path), text: withoutComments(Deno.readTextFileSync(path)) };
    }
  }
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

const sources = () => folders.flatMap((folder) => [...filesIn(join(root, folder))]);

Deno.test({
  name:
    "lib/runs, lib/commands, lib/report and lib/sweep import only the registry and types of lib/algorithms",
  ignore,
  fn: () => {
    const found = sources().flatMap(({ path, text }) =>
      [...text.matchAll(/(import|export)( type)?([^;]*?)from "[^"]*\/algorithms\/([^"]+)"/g)]
        .filter(([, , type, , module]) =>
          module !== "registry.ts" && !(type !== undefined && types.includes(module!))
        )
        .map(([, , , , module]) => `${path}: ${module}`)
    );
    assertEquals(found, []);
  },
});

Deno.test({
  name: "lib/runs, lib/commands, lib/report and lib/sweep do not name any stage or network",
  ignore,
  fn: async () => {
    const names = await registeredNames();
    assert(names.has("critic") && names.has("q0_target.q1"), [...names].join(", "));
    const found = sources().flatMap(({ path, text }) =>
      [...text.matchAll(/"([^"\n]*)"|'([^'\n]*)'|`([^`]*)`/g)]
        .map(([, a, b, c]) => a ?? b ?? c ?? "")
        .filter((literal) =>
          names.has(literal) ||
          [...names].some((name) => name.includes(".") && literal.startsWith(`${name}.`))
        )
        .map((literal) => `${path}: ${literal}`)
    );
    assertEquals(found, []);
  },
});

/** Returns the names of all stages and the prefixes of all networks' parameters. */
async function registeredNames(): Promise<Set<string>> {
  using engine = await Engine.open();
  const rows = 5000;
  const buffer = new ReplayBuffer(engine.gpu, {
    rows,
    observationSize: 4,
    actionSize: 2,
    observations: new Float32Array(rows * 4),
    actions: new Float32Array(rows * 2),
    terminals: new Float32Array(rows),
    transitions: Uint32Array.from({ length: rows - 1 }, (_, row) => row),
  }, new Float32Array(rows));
  const names = new Set<string>();
  for (const { stages, hyperparameters } of algorithms.values()) {
    const h = hyperparameters.valuesFor("maze2d", "quick");
    for (const { name, describe } of stages) {
      names.add(name);
      const { networks } = await describe(new Graph({ seeds: [0] }), buffer, h, [h]);
      for (const prefix of networks.flatMap(({ prefixes }) => prefixes)) {
        names.add(prefix.replace(/\.$/, ""));
      }
    }
  }
  buffer.destroy();
  return names;
}

Deno.test("algorithms: everything that their stages, actors and sweeps refer to exists", () => {
  for (const algorithm of algorithms.values()) {
    const { hyperparameters: table, stages, actors, sweeps } = algorithm;
    const rows: readonly string[] = table.names;
    const groups = new Set(rows.map((name) => table.rows[name]!.group));
    assert(actors.length > 0 && stages.length > 0, algorithm.name);
    stages.forEach((stage, place) => {
      assert(rows.includes(stage.steps) && rows.includes(stage.batchSize), stage.name);
      const before = stages.slice(0, place).map(({ name }) => name);
      assertEquals(stage.needs.filter((need) => !before.includes(need)), [], stage.name);
      assertEquals(stage.groups.filter((group) => !groups.has(group)), [], stage.name);
      if (stage.evaluated !== undefined) {
        assert(actors.some(({ name }) => name === stage.evaluated), stage.name);
      }
    });
    for (const { needs, prefix } of actors) {
      assertEquals(needs.filter((need) => !stages.some(({ name }) => name === need)), []);
      if (prefix !== undefined) assertEquals(needs.length, 1);
    }
    for (const { hyperparameter, list } of sweeps) {
      const { group } = table.rows[hyperparameter]!;
      const changed = stages.filter(({ groups }) => groups.includes(group));
      assert(changed.length > 0 && changed.every(({ over }) => over === "variants"), list);
    }
  }
});
