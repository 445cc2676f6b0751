/** Tests the order of the layers: imports point down only, and there are no import cycles. */
import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The layers from the bottom up. Layers on one line do not import each other. */
const layers = [
  [
    "deno.json",
    "lib/duration.ts",
    "lib/errors.ts",
    "lib/protobuf.ts",
    "lib/shell_word.ts",
    "lib/suggestion.ts",
    "lib/terminal.ts",
    "lib/types",
    "shaders",
  ],
  ["lib/files.ts", "lib/pytorch", "lib/schema.ts", "lib/version.ts"],
  ["lib/gpu"],
  ["lib/autodiff"],
  ["lib/nn", "lib/optim"],
  ["lib/diffusion"],
  ["lib/data"],
  ["lib/algorithms"],
  ["lib/checks", "lib/envs"],
  ["lib/export", "lib/report"],
  ["lib/runs"],
  ["lib/bandit", "lib/sweep", "lib/watch"],
  ["lib/commands", "lib/web"],
  ["cli.ts", "mod.ts"],
];

/** Existing imports that point up. Delete an entry when its import is removed. */
const knownUpward: readonly string[] = [];

const root = fileURLToPath(new URL("..", import.meta.url));
const ignore = Deno.permissions.querySync({ name: "read", path: root }).state !== "granted";

Deno.test({
  name: "imports: point from a layer to a lower one",
  ignore,
  fn: async () => {
    const upward = [...await importsByFile()].flatMap(([file, imports]) =>
      imports.filter((to) => folderOf(file) !== folderOf(to) && level(file) <= level(to))
        .map((to) => `${file} → ${to}`)
    );
    assertEquals(upward.toSorted(), knownUpward.toSorted());
  },
});

Deno.test({
  name: "imports: have no cycles",
  ignore,
  fn: async () => {
    const circles = circlesOf(await importsByFile());
    assertEquals(circles, []);
  },
});

Deno.test("circlesOf() finds direct and indirect import cycles, and nothing else", () => {
  const imports = new Map([
    ["a", ["b", "d"]],
    ["b", ["c"]],
    ["c", ["a"]],
    ["d", ["e"]],
    ["e", ["d", "f"]],
    ["f", []],
    ["g", ["a", "f"]],
  ]);
  assertEquals(circlesOf(imports), [["a", "b", "c"], ["d", "e"]]);
});

/**
 * Returns the imports of each TypeScript file of the program, including type imports, as paths from
 * the repository's root.
 */
async function importsByFile(): Promise<Map<string, string[]>> {
  const files = ["cli.ts", "mod.ts"];
  for (const folders = ["lib"]; folders.length > 0;) {
    const folder = folders.pop()!;
    for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
      if (isDirectory) folders.push(`${folder}/${name}`);
      else if (name.endsWith(".ts")) files.push(`${folder}/${name}`);
    }
  }
  const statement =
    /^(?:import|export)\b[^;"]*?\bfrom\s+"(\.[^"]+)"|^import\s+"(\.[^"]+)"|\bimport\(\s*"(\.[^"]+)"/gm;
  return new Map(
    await Promise.all(
      files.toSorted().map(async (file): Promise<[string, string[]]> => {
        const text = await Deno.readTextFile(join(root, file));
        const found = [...text.matchAll(statement)].map(([, ...paths]) => paths.find(Boolean)!);
        return [file, found.map((path) => join(dirname(file), path).replaceAll("\\", "/"))];
      }),
    ),
  );
}

/** Returns the entry of `layers` that a file belongs to. */
function folderOf(file: string): string {
  const folder = layers.flat().find((name) => file === name || file.startsWith(`${name}/`));
  if (folder === undefined) throw new Error(`${file} has no layer; add its folder to the list`);
  return folder;
}

function level(file: string): number {
  return layers.findIndex((names) => names.includes(folderOf(file)));
}

/** Returns groups of files in which each file imports every other one, directly or indirectly. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const reached = new Map([...imports.keys()].map((file) => {
    const found = new Set<string>();
    for (const open = [...imports.get(file)!]; open.length > 0;) {
      const next = open.pop()!;
      if (found.has(next)) continue;
      found.add(next);
      open.push(...imports.get(next) ?? []);
    }
    return [file, found] as const;
  }));
  const groups = [...reached.keys()].filter((file) => reached.get(file)!.has(file))
    .map((file) =>
      [...reached.keys()].filter((other) =>
        reached.get(file)!.has(other) && reached.get(other)!.has(file)
      ).toSorted()
    );
  return [...new Map(groups.map((group) => [String(group), group])).values()];
}
