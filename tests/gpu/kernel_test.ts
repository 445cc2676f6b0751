import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Gpu } from "../../lib/gpu/device.ts";
import { KernelCache, type KernelSpec, packJobs } from "../../lib/gpu/kernel.ts";
import { worklistOf } from "../../lib/gpu/worklist.ts";
import { jobFieldsOf, render } from "../../lib/gpu/shader.ts";

/** Returns a kernel that writes a number; `body` is its last statement. */
function kernelOf(name: string, body: string, more: Partial<KernelSpec> = {}): KernelSpec {
  const source = `
struct Job {
  out: u32,
  value: f32,
}

@group(0) @binding(1) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read_write> activations: array<f32>;

override LANES = 1u;

@compute @workgroup_size(LANES)
fn main() {
  //#if TWICE
  let factor = 2.0;
  //#else
  let factor = 1.0;
  //#endif
  ${body}
}
`;
  return { name, source, ...more };
}

const good = "activations[jobs[0].out] = factor * jobs[0].value;";
const bad = "activations[jobs[0].out] = factor * nothing;";

Deno.test("KernelCache.get() reports the kernel, directives, line number and line of a compilation error", async () => {
  const gpu = await Gpu.open();
  try {
    const kernels = new KernelCache(gpu);
    const error = await assertRejects(() =>
      kernels.get(kernelOf("wrong product", bad, { directives: ["TWICE"] }))
    );
    assertStringIncludes(error.message, 'kernel "wrong product" (directives: TWICE)');
    const line = Number(/line (\d+): /.exec(error.message)![1]);
    const code = render(kernelOf("", bad).source, ["TWICE"]).split("\n");
    assertStringIncludes(code[line - 1]!, "nothing");
    assertStringIncludes(error.message, `line ${line}: ${bad}`);
    gpu.check();
  } finally {
    gpu.close();
  }
});

Deno.test("KernelCache.get() attributes errors to the right kernel when several compile concurrently", async () => {
  const gpu = await Gpu.open();
  try {
    const kernels = new KernelCache(gpu);
    const outcomes = await Promise.allSettled([
      kernels.get(kernelOf("first", good)),
      kernels.get(kernelOf("second", bad)),
      kernels.get(kernelOf("third", good, { directives: ["TWICE"] })),
      kernels.get(kernelOf("fourth", good, { constants: { LANES: 1e6 } })),
      kernels.get(kernelOf("fifth", good, { constants: { LANES: 8 } })),
    ]);
    assertEquals(outcomes.map(({ status }) => status), [
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    const messages = outcomes.map((outcome) =>
      outcome.status === "rejected" ? String(outcome.reason) : ""
    );
    assertStringIncludes(messages[1]!, 'kernel "second"');
    assertStringIncludes(messages[3]!, 'kernel "fourth"');
    gpu.check();
  } finally {
    gpu.close();
  }
});

Deno.test("KernelCache.get() compiles equal kernels once, and kernels with the same name but different WGSL separately", async () => {
  const gpu = await Gpu.open();
  try {
    const kernels = new KernelCache(gpu);
    const other = "activations[jobs[0].out] = factor - jobs[0].value;";
    const [first, second, again] = await Promise.all([
      kernels.get(kernelOf("update", good)),
      kernels.get(kernelOf("update", other)),
      kernels.get(kernelOf("update", good)),
    ]);
    assert(first.pipeline !== second.pipeline);
    assert(first.pipeline === again.pipeline);
  } finally {
    gpu.close();
  }
});

Deno.test("render() rejects a directive that the shader does not have", () => {
  const { source } = kernelOf("", good);
  assertThrows(() => render(source, ["THRICE"]), Error, "no directive THRICE");
  assertStringIncludes(render(source, ["TWICE"]), "let factor = 2.0;");
  assertEquals(render(source, []).includes("2.0"), false);
});

Deno.test("render() supports || and ! in conditions", () => {
  const source = "//#if A || !B\nyes\n//#elif C\nmaybe\n//#else\nno\n//#endif\n";
  const word = (...on: string[]) => render(source, on).trim();
  assertEquals(word(), "yes");
  assertEquals(word("A", "B"), "yes");
  assertEquals(word("B", "C"), "maybe");
  assertEquals(word("B"), "no");
});

Deno.test("packJobs() packs fields in the shader's order and rejects missing and unknown ones", async () => {
  const gpu = await Gpu.open();
  try {
    const kernel = await new KernelCache(gpu).get(kernelOf("packed", good));
    assertEquals(kernel.fields, jobFieldsOf(kernelOf("", good).source));
    const bytes = packJobs(kernel, [{ fields: { value: 0.5, out: 7 }, tiles: 1 }]);
    assertEquals([new Uint32Array(bytes)[0], new Float32Array(bytes)[1]], [7, 0.5]);
    assertThrows(
      () => packJobs(kernel, [{ fields: { out: 7 }, tiles: 1 }]),
      Error,
      'kernel "packed" needs job field value',
    );
    assertThrows(
      () => packJobs(kernel, [{ fields: { out: 7, value: 1, rate: 2 }, tiles: 1 }]),
      Error,
      'kernel "packed" has no job field rate',
    );
  } finally {
    gpu.close();
  }
});

Deno.test("worklistOf() lists every tile of every job once, and pads with tiles past the end", () => {
  const small = worklistOf([{ fields: {}, tiles: 2 }, { fields: {}, tiles: 1 }]);
  assertEquals([...small.worklist], [0, 0, 0, 1, 1, 0]);
  assertEquals([small.x, small.y], [3, 1]);
  const tiles = [70_000, 3];
  const { worklist, x, y } = worklistOf(tiles.map((tiles) => ({ fields: {}, tiles })));
  assertEquals([x, y, worklist.length], [65_535, 2, 2 * 65_535 * 2]);
  const seen = tiles.map(() => new Set<number>());
  for (let i = 0; i < worklist.length; i += 2) {
    const [job, tile] = [worklist[i]!, worklist[i + 1]!];
    if (tile < tiles[job]!) seen[job]!.add(tile);
    else assertEquals(job === 1 && tile === 3, true);
    if (i / 2 >= 70_003) assertEquals(tile, 3);
  }
  assertEquals(seen.map(({ size }) => size), tiles);
});
