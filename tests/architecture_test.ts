import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import page from "../docs/architecture.md" with { type: "text" };
import imports from "./imports_test.ts" with { type: "text" };

const root = fileURLToPath(new URL("..", import.meta.url));

Deno.test({
  name: "docs/architecture.md: every file and folder that it names exists",
  ignore: Deno.permissions.querySync({ name: "read", path: root }).state !== "granted",
  fn: async () => {
    const named = [...page.matchAll(/`((?:lib|shaders|cli\.ts|mod\.ts)(?:\/[\w./-]+)?)`/g)]
      .map(([, path]) => path!);
    const linked = [...page.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => join("docs", path!));
    assert(named.length > 40, `found ${named.length} names`);
    const missing = [];
    for (const path of new Set([...named, ...linked])) {
      const found = await Deno.stat(join(root, path)).then(() => true, () => false);
      if (!found) missing.push(path);
    }
    assertEquals(missing, []);
  },
});

Deno.test("docs/architecture.md: its layers are those whose order is tested, in that order", () => {
  const list = imports.slice(imports.indexOf("const layers"), imports.indexOf("];"));
  const tested = [...list.matchAll(/^ {2}\[([^\]]*)\],$/gm)].map(([, names]) =>
    [...names!.matchAll(/"([^"]+)"/g)].map(([, name]) => name!)
  );
  const rows = [...page.matchAll(/^\| (`.*?) +\|/gm)].map(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  ).reverse();
  assertEquals(rows.length, tested.length);
  rows.forEach((names, i) => {
    for (const name of names) assert(tested[i]!.includes(name), `${name} is in another layer`);
    // The lowest layers hold single files, of which the page names the main ones.
    if (i > 1) assertEquals(names.toSorted(), tested[i]!.toSorted());
  });
});
