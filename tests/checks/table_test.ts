/** Runs the table of checks on this machine's adapter. Runs without permissions. */
import { assert, assertEquals } from "@std/assert";
import { Engine, portableTarget } from "../../lib/autodiff/engine.ts";
import { operationNames } from "../../lib/autodiff/operations.ts";
import { tanh } from "../../lib/autodiff/ops/entrywise.ts";
import { type Check, compared } from "../../lib/checks/check.ts";
import { layerNormChecks } from "../../lib/checks/layer_norm.ts";
import { map } from "../../lib/autodiff/matrix.ts";
import { Session } from "../../lib/checks/session.ts";
import { checks, measureAll, productChecks, unchecked } from "../../lib/checks/table.ts";
import { directivesOf, type KernelSpec } from "../../lib/gpu/kernel.ts";
import { matmulVariants, targetOf } from "../../lib/gpu/target.ts";

const readable = Deno.permissions.querySync({ name: "read" }).state === "granted";

async function run(session: Session, chosen: readonly Check[], t: Deno.TestContext) {
  for (const check of chosen) {
    await t.step(check.name, async () => {
      const failures: string[] = [];
      for await (const row of measureAll(session, [check])) {
        if (row.passed) continue;
        failures.push(`${row.shape}, R = ${row.replicas}: off by ${row.error}, limit ${row.limit}`);
      }
      assert(failures.length === 0, `\n${failures.join("\n")}`);
    });
  }
}

/** Imports every file that registers operations, whether or not a check imports it. */
async function loadOperations(folder: URL): Promise<void> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) await loadOperations(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) {
      const file = new URL(name, folder);
      if (Deno.readTextFileSync(file).includes("= registerOperation(")) await import(file.href);
    }
  }
}

Deno.test("checks: every operation and loss matches double precision, and every gradient finite differences", async (t) => {
  using engine = await Engine.open();
  const session = new Session(engine);
  await run(session, checks, t);

  await t.step("operationNames(): a check covers every operation", async () => {
    if (readable) await loadOperations(new URL("../../lib/", import.meta.url));
    assertEquals(unchecked(session), []);
    assertEquals(session.operations.size, operationNames().length);
  });

  const kernels = [...session.kernels.values()];
  const others = matmulVariants.filter((variant) =>
    variant !== engine.target.matmul && (variant !== "subgroups" || engine.gpu.adapter.subgroups)
  );
  for (const variant of others) {
    await t.step(`matrix products match in the variant "${variant}"`, async (t) => {
      using engine = await Engine.open(targetOf(variant));
      const session = new Session(engine);
      await run(session, productChecks, t);
      kernels.push(...session.kernels.values());
    });
  }

  const elsewhere: KernelSpec[] = [];
  await t.step(
    "layer norms match in the layout for the other kind of GPU, card or software",
    async (t) => {
      using engine = await Engine.open(portableTarget);
      const { adapter } = engine.gpu;
      Object.assign(adapter, { software: !adapter.software });
      const session = new Session(engine);
      await run(session, layerNormChecks, t);
      elsewhere.push(...session.kernels.values());
    },
  );

  await t.step({
    name: "every operation's file exports a double-precision reference",
    ignore: !readable,
    fn: async () => {
      // A chain consists of functions of the table. The other two only move numbers.
      const without = ["entrywise_kernel.ts", "copy.ts", "report.ts"];
      const folders = ["autodiff/ops/", "algorithms/losses/", "algorithms/srpo/"];
      for (const folder of folders.map((each) => new URL(`../../lib/${each}`, import.meta.url))) {
        for (const { name } of Deno.readDirSync(folder)) {
          const file = new URL(name, folder);
          if (!name.endsWith(".ts") || without.includes(name)) continue;
          if (!Deno.readTextFileSync(file).includes("= registerOperation(")) continue;
          const exported = Object.keys(await import(file.href));
          const found = exported.some((each) => /Reference$|^entrywiseFunctions$/.test(each));
          assert(found, `${name}: ${exported}`);
        }
      }
    },
  });

  await t.step({
    name: "a check covers every kernel and each of its variants",
    ignore: !readable,
    fn: () => {
      const folder = new URL("../../shaders/", import.meta.url);
      const missing: string[] = [];
      for (const { name } of Deno.readDirSync(folder)) {
        // Training does not use these.
        if (name.startsWith("roofline_") || name === "fingerprint.wgsl") continue;
        const source = Deno.readTextFileSync(new URL(name, folder));
        const own = kernels.filter((kernel) => kernel.source.includes(source));
        if (own.length === 0) missing.push(name);
        for (const [, condition] of source.matchAll(/^\s*\/\/#(?:el)?if (.*)$/gm)) {
          for (const directive of condition!.split("||").map((term) => term.trim())) {
            if (directive.startsWith("SHARE_") && !engine.gpu.adapter.subgroups) continue;
            if (directive === "SOFTWARE") { // Set by the adapter, so it takes both of them.
              if (elsewhere.every((kernel) => !kernel.source.includes(source))) missing.push(name);
              continue;
            }
            const [bare, wanted] = [directive.replace("!", ""), !directive.startsWith("!")];
            const reached = own.some((kernel) => directivesOf(kernel).includes(bare) === wanted);
            if (!reached) missing.push(`${name}, ${directive}`);
          }
        }
      }
      assertEquals(missing, []);
    },
  });
});

Deno.test("compared() detects a wrong value, a wrong gradient and NaN", async () => {
  using engine = await Engine.open(portableTarget);
  const session = new Session(engine);
  const measure = (f: (x: number) => number) =>
    compared({
      shape: "7×13",
      replicas: 3,
      inputs: { x: { rows: 7, columns: 13, wanted: true } },
      record: (graph, { x }) => ({ results: { y: tanh(graph, x) }, objective: "y" }),
      reference: ({ x }) => ({ y: [map(x[0], f)] }),
    }).measure(session);
  assert(await measure(Math.tanh) < 1e-6);
  assert(await measure((x) => Math.tanh(x) + 1e-4) > 1e-5);
  // The same values to 1e-6, but another slope.
  assert(await measure((x) => Math.tanh(x) + 1e-7 * Math.sin(1e5 * x)) > 1e-3);
  assertEquals(await measure(() => NaN), Infinity);
});
