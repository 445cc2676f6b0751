import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile } from "../data/files.ts";
import { printed } from "./printed.ts";

const ignore = !mayUseFiles ||
  (["ffi", "run", "net"] as const).some((name) =>
    Deno.permissions.querySync({ name }).state !== "granted"
  );
const actor = projectFile("data/hopper-medium.safetensors");
const hopper = projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5");

async function evaluated(...args: string[]): Promise<string[]> {
  const { evaluate } = await import("../../lib/commands/eval.ts");
  return (await printed(() => evaluate([actor, ...args]))).split("\n");
}

Deno.test({
  name: "evaluate() --fqe estimates a return from data, alone or beside real returns",
  ignore,
  fn: async () => {
    const fqe = ["--fqe", hopper, "--fqe-steps", "3", "--fqe-seeds", "0-1", "--json"];
    const alone = await evaluated("--episodes", "0", ...fqe);
    const json = JSON.parse(alone.at(-1)!);
    assertEquals([json.task, json.policy, json.fqe.steps, json.fqe.discount], [
      "hopper-medium-v2",
      "file",
      3,
      0.99,
    ]);
    assertEquals([json.fqe.values.length, json.fqe.interval.length], [2, 2]);

    const beside = await evaluated("--task", "hopper-medium-v2", "--episodes", "1", ...fqe);
    const text = beside.join("\n");
    assertStringIncludes(text, "\nreturn  ");
    assertStringIncludes(text, "\nestimate  ");
    // The estimate does not depend on what is played.
    assertEquals(JSON.parse(beside.at(-1)!).fqe, json.fqe);
  },
});

Deno.test({
  name: "evaluate() rejects data of other sizes, and flags that go with --fqe",
  ignore,
  fn: async () => {
    const refuses = (message: string, ...args: string[]) =>
      assertRejects(() => evaluated(...args), UserError, message);
    await refuses("--fqe DATA estimates the return", "--episodes", "0");
    await refuses("--fqe-steps needs --fqe DATA", "--fqe-steps", "5");
    await refuses(
      "--episodes 0 plays none",
      ...["--episodes", "0", "--fqe", hopper, "--record", "walk.safetensors"],
    );
    await refuses(
      "but the data have 4 and 2",
      ...["--episodes", "0", "--fqe", projectFile("data/maze2d-umaze-100k.hdf5")],
    );
  },
});
