/** Tests the contents of the npm package and its import from another project. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };

const permitted = (["run", "read", "write", "env"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/**
 * A program of another project. It trains if WebGPU is available; otherwise it only builds the
 * graph.
 */
const program = `
import {
  type AlgorithmRun, constant, Engine, type Episode, evaluateHere, findAlgorithm, findTask, Graph, initialize,
  linear, linearShapes, loadDataset, meanSquaredError, minimize, ParameterSet, type Policy,
  type Tensor, trainAlgorithm, UserError, writeInput,
} from "@srpo/webgpu";

const graph = new Graph({ seeds: [0] });
const x: Tensor = graph.input(8, 1);
const y = graph.input(8, 1);
const network = new ParameterSet(graph, linearShapes("f", [1], 1), graph.replicas);
const f = { weight: network.get("f.weight"), bias: network.get("f.bias") };
const prediction = linear(graph, x, f);
const loss = meanSquaredError(graph, "loss", prediction, y);
minimize(graph, loss, network, { learningRate: constant(0.1) });
console.log(\`prediction \${prediction.replicas} x \${prediction.rows} x \${prediction.columns}\`);
// @ts-expect-error: A graph needs its seeds; that this is an error shows that the types are there.
if (false as boolean) new Graph("no seeds");

/** Is compiled only: there are no data here. */
export async function returnsOf(engine: Engine, file: string): Promise<number[]> {
  const { stages, hyperparameters } = findAlgorithm("iql");
  const run: AlgorithmRun = {
    algorithm: findAlgorithm("iql"),
    data: await loadDataset([file]),
    task: findTask("maze2d-umaze-v1"),
    hyperparameters: hyperparameters.valuesFor("maze2d", "quick", { steps: stages.length }),
    directory: "run",
  };
  const [trained] = await trainAlgorithm(engine, run);
  const policy: Policy = trained!.load().policy;
  return (await evaluateHere(policy, run.task.name, [0])).map((episode: Episode) => episode.return);
}
console.log(\`stages \${findAlgorithm("srpo").stages.map(({ name }) => name).join(" ")}\`);

try {
  using engine = await Engine.open();
  const steps = await engine.compile(graph);
  const points = Float32Array.from({ length: 8 }, (_, i) => i / 8);
  writeInput(steps, x, points);
  writeInput(steps, y, points);
  network.write(steps, 0, initialize(network.shapes, 0, 0));
  const losses = await steps.submit(0, 50);
  console.log("learned", losses.at(-1)! < losses[0]!);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.log(error.message);
}
`;

/** Runs a program and returns its output. */
async function output(name: string, args: string[], cwd: string) {
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args,
    cwd,
    env: { NO_COLOR: "1", XDG_RUNTIME_DIR: "/tmp", npm_config_update_notifier: "false" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Whether the program is installed. */
async function installed(name: string): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}

Deno.test({
  name:
    "deno task package: builds a package that other projects can import with Node's module resolution",
  ignore: !permitted,
  fn: async (t) => {
    const project = await Deno.makeTempDir();
    const folder = join(project, "built");
    const built = await output(
      Deno.execPath(),
      ["task", "package", folder],
      fileURLToPath(new URL("..", import.meta.url)),
    );
    assertEquals(built.code, 0, built.stderr);
    const description = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));

    await t.step("package.json has the version, license, types and dependencies", async () => {
      assertEquals(description.name, "@srpo/webgpu");
      assertEquals(description.version, manifest.version);
      assertEquals(description.license, "MIT");
      assertEquals(description.exports, {
        ".": { types: "./types/mod.d.ts", default: "./mod.js" },
      });
      const code = await Deno.readTextFile(join(folder, "mod.js"));
      const packages = (statement: RegExp) =>
        [...code.matchAll(statement)].map(([, name]) => name!);
      const atOnce = packages(/^import .* from "((?:@[^/"]+\/)?[^/":]+)[/"]/gm);
      const whenUsed = packages(/\bimport\("((?:@[^/"]+\/)?[^/":]+)[/"]/g);
      assertEquals(
        new Set([...atOnce, ...whenUsed]),
        new Set(Object.keys(description.dependencies)),
      );
      assertEquals(new Set(whenUsed), new Set(["@mujoco/mujoco", "h5wasm"]));
      assertStringIncludes(code, "@compute", "the bundle contains no shader");
    });

    await t.step({
      name: "npm pack includes the module, the types, LICENSE and README, without warnings",
      ignore: !await installed("npm"),
      fn: async () => {
        const pack = await output(
          "npm",
          ["pack", "--dry-run", "--json", "--offline", "--userconfig", join(project, "npmrc")],
          folder,
        );
        assertEquals(pack.code, 0, pack.stderr);
        assert(!/warn/i.test(pack.stderr), pack.stderr);
        const [{ files }] = JSON.parse(pack.stdout);
        const paths = (files as { path: string }[]).map(({ path }) => path);
        for (const path of ["LICENSE", "README.md", "mod.js", "package.json", "types/mod.d.ts"]) {
          assert(paths.includes(path), `${path} is not packed`);
        }
        assertEquals(paths.filter((path) => /\.wgsl$|(?<!\.d)\.ts$|^(tests|data)/.test(path)), []);
      },
    });

    // Installed as npm does. The dependencies come from Deno's cache, which holds them for the
    // tests.
    await Deno.writeTextFile(
      join(project, "package.json"),
      JSON.stringify({ type: "module", dependencies: description.dependencies }),
    );
    const install = await output(Deno.execPath(), ["install", "--node-modules-dir"], project);
    assertEquals(install.code, 0, install.stderr);
    await Deno.mkdir(join(project, "node_modules", "@srpo"));
    await Deno.rename(folder, join(project, "node_modules", "@srpo", "webgpu"));
    await Deno.writeTextFile(join(project, "main.ts"), program);

    await t.step("tsc accepts its types in strict mode, without skipLibCheck", async () => {
      const checked = await output(Deno.execPath(), [
        ...["run", "-A", "--no-config", `${manifest.imports.typescript}/tsc`, "main.ts"],
        ...["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"],
        ...["--module", "nodenext", "--target", "es2023", "--lib", "esnext,dom", "--types", ""],
      ], project);
      assertEquals(checked.code, 0, checked.stdout + checked.stderr);
    });

    await t.step("Deno trains with it, without an import map", async () => {
      const { stdout, stderr } = await output(Deno.execPath(), ["run", "-A", "main.js"], project);
      assertEquals(stderr, "");
      assertEquals(
        stdout,
        "prediction 1 x 8 x 1\nstages critic behavior policy\nlearned true\n",
      );
    });

    await t.step({
      name: "Node builds a graph with it, and reports that WebGPU is missing",
      ignore: !await installed("node"),
      fn: async () => {
        const { stdout, stderr } = await output("node", ["main.js"], project);
        assertEquals(stderr, "");
        assertStringIncludes(stdout, "policy\nno WebGPU adapter was found.");
      },
    });
    await Deno.remove(project, { recursive: true });
  },
});

Deno.test({
  name: "LICENSE and CITATION.cff: match the version and license in deno.json",
  permissions: { read: true },
  ignore: !permitted,
  fn: async () => {
    const read = (file: string) => Deno.readTextFile(new URL(`../${file}`, import.meta.url));
    const license = await read("LICENSE");
    assertStringIncludes(license, `${manifest.license} License`);
    assertStringIncludes(license, "SRPO for WebGPU contributors");
    const citation = await read("CITATION.cff");
    for (const line of [`version: ${manifest.version}`, `license: ${manifest.license}`]) {
      assert(citation.split("\n").includes(line), `CITATION.cff lacks "${line}"`);
    }
    assertStringIncludes(citation, "SRPO for WebGPU contributors");
  },
});

Deno.test({
  name: "deno publish --dry-run: accepts the package, without tests and data",
  ignore: !permitted,
  fn: async () => {
    const { code, stderr } = await output(
      Deno.execPath(),
      ["publish", "--dry-run", "--allow-dirty"],
      fileURLToPath(new URL("..", import.meta.url)),
    );
    assertEquals(code, 0, stderr);
    assert(!/^warning/im.test(stderr), stderr);
    const root = new URL("..", import.meta.url).href;
    const files = stderr.split("\n").map((line) => line.trim().split(" ")[0]!)
      .filter((line) => line.startsWith(root)).map((line) => line.slice(root.length));
    assert(files.includes("shaders/matmul.wgsl"), stderr);
    assertEquals(files.filter((file) => /^(tests|bench|data|runs|dist|\.)/.test(file)), []);
  },
});
