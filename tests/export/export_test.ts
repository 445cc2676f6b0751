/** Tests the exported files with the programs that they are made for. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cHeader } from "../../lib/export/c.ts";
import { javascriptModule } from "../../lib/export/javascript.ts";
import { onnxModel } from "../../lib/export/onnx.ts";
import { policyOf } from "../../lib/export/parity.ts";
import { linear, observationsFor, plain, scaled } from "./actors.ts";

const actors = { plain, scaled, linear };
const rows = 1000;

const permitted = (["read", "write", "run", "ffi", "env"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "onnxModel(): onnxruntime computes the actor's actions for 1,000 observations",
  ignore: !permitted,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const [name, actor] of Object.entries(actors)) {
        const observations = observationsFor(actor, rows);
        await Deno.writeFile(join(folder, `${name}.onnx`), onnxModel(actor));
        await Deno.writeFile(
          join(folder, `${name}.observations`),
          new Uint8Array(observations.buffer),
        );
      }
      const script = fileURLToPath(new URL("onnxruntime/run.ts", import.meta.url));
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "--frozen", script, folder, ...Object.keys(actors)],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      for (const [name, actor] of Object.entries(actors)) {
        const found = new Float32Array(
          (await Deno.readFile(join(folder, `${name}.actions`))).buffer,
        );
        const observations = Float64Array.from(observationsFor(actor, rows));
        const expected = policyOf(actor).act(observations, []);
        assertEquals(found.length, expected.length);
        const largest = Math.max(...expected.map((value, i) => Math.abs(value - found[i]!)));
        assert(largest <= 1e-5, `${name}: actions differ by ${largest}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function importModule(source: string) {
  return await import(`data:text/javascript,${encodeURIComponent(source)}`);
}

Deno.test("javascriptModule(): computes the actor's actions to the last bit", async () => {
  for (const actor of Object.values(actors)) {
    const { act, check, observationSize, actionSize } = await importModule(javascriptModule(actor));
    const { inputs, outputs } = actor.network;
    assertEquals([observationSize, actionSize], [inputs, outputs]);
    const policy = policyOf(actor);
    const observations = observationsFor(actor, 100);
    for (let start = 0; start < observations.length; start += inputs) {
      const observation = observations.subarray(start, start + inputs);
      assertEquals(act(observation), Array.from(policy.act(Float64Array.from(observation), [])));
    }
    check();
    assertThrows(() => act([1]), RangeError, `expected ${inputs} numbers, got 1`);
  }
});

Deno.test("javascriptModule(): check() finds a changed actor", async () => {
  const source = javascriptModule(plain);
  const { check } = await importModule(source.replace(": Math.tanh", ": (value) => value"));
  assertThrows(check, Error, "observation 0, entry 0: expected");
});

/** Compiles a header as a program, by default one that checks itself, and runs it. */
async function compileAndRun(
  header: string,
  option = "-DPOLICY_CHECK",
): Promise<{ success: boolean; printed: string }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "policy.h"), header);
    const compiler = await new Deno.Command("cc", {
      args: `-std=c99 -Wall -Wextra -pedantic -Werror ${option} -x c policy.h -lm -o check`
        .split(" "),
      cwd: folder,
    }).output();
    assert(compiler.success, new TextDecoder().decode(compiler.stderr));
    const { success, stdout } = await new Deno.Command(join(folder, "check")).output();
    return { success, printed: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function hasCompiler(): boolean {
  try {
    return permitted && new Deno.Command("cc", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "cHeader(): compiles without warnings and computes the actor's actions",
  ignore: !hasCompiler(),
  fn: async () => {
    for (const actor of Object.values(actors)) {
      const { success, printed } = await compileAndRun(cHeader(actor));
      assertMatch(printed, /^0 of \d+ entries differ\n$/);
      assert(success);
    }
    const wrong = await compileAndRun(cHeader(plain).replaceAll("tanhf(", "sinf("));
    assertMatch(wrong.printed, /^[1-9]\d* of 12 entries differ\n$/);
    assertEquals(wrong.success, false);
  },
});

Deno.test("cHeader(): writes numbers that C reads as the same float32", () => {
  const weights = /policy_weight_0\[8\] = \{\n([^}]*)\n\}/.exec(cHeader(linear))![1]!;
  const read = weights.split(",").map((literal) =>
    Math.fround(Number(literal.trim().slice(0, -1)))
  );
  assertEquals(read, Array.from(linear.network.layers[0]!.weight));
});

Deno.test({
  name: "cHeader(): actions for an observation that is not a number are not numbers",
  ignore: !hasCompiler(),
  fn: async () => {
    const program = `
#include <stdio.h>
int main(void) {
  float observation[POLICY_OBSERVATION_SIZE] = {0}, action[POLICY_ACTION_SIZE];
  int i, numbers = 0;
  observation[0] = NAN;
  policy_act(observation, action);
  for (i = 0; i < POLICY_ACTION_SIZE; i++) numbers += !isnan(action[i]);
  printf("%d", numbers);
  return 0;
}
`;
    for (const actor of Object.values(actors)) {
      const { printed } = await compileAndRun(cHeader(actor) + program, "-DPOLICY_RUN");
      assertEquals(printed, "0");
      const observation = new Float64Array(actor.network.inputs);
      observation[0] = NaN;
      assert(policyOf(actor).act(observation, []).every(Number.isNaN));
    }
  },
});
