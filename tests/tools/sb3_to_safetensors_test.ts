import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { decode } from "../../lib/runs/safetensors.ts";
import { mayUseFiles, projectFile, withFolder } from "../data/files.ts";

const mayRun = mayUseFiles && Deno.permissions.querySync({ name: "run" }).state === "granted";

/** Python command; null, which skips the tests, if there is no Python 3.11 or newer. */
const python = mayRun
  ? ["python3", "python"].find((command) => {
    try {
      const args = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"];
      return new Deno.Command(command, { args }).outputSync().success;
    } catch {
      return false;
    }
  }) ?? null
  : null;
const skipped = python === null ? " (skipped: needs --allow-run and Python 3.11)" : "";

const policies = projectFile("tests/fixtures/policies");
const published = join(policies, "ars-hopper.zip");
const statistics = join(policies, "ars-hopper-vecnormalize.pkl");

async function runPython(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(python!, { args }).output();
  const decoder = new TextDecoder();
  return { success, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const convert = (...args: string[]) =>
  runPython(projectFile("tools/sb3_to_safetensors.py"), ...args);

/** Returns whether `part` occurs in `whole`. */
function contains(whole: Uint8Array, part: Uint8Array): boolean {
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  return text(whole).includes(text(part));
}

Deno.test({
  name: `sb3_to_safetensors.py copies a published agent's tensors byte for byte${skipped}`,
  ignore: python === null,
  fn: () =>
    withFolder(async (folder) => {
      const out = join(folder, "actor.safetensors");
      const { success, out: text, err } = await convert(
        published,
        out,
        "--vecnormalize",
        statistics,
      );
      assert(success, err);
      const bytes = Deno.readFileSync(out);
      assertEquals(bytes, Deno.readFileSync(join(policies, "ars-hopper.safetensors")));
      const { tensors, metadata } = decode(bytes, out);
      assertEquals(metadata, {
        activation: "relu",
        output: "clip",
        bias: "none",
        source: "Stable-Baselines3 1.3.1a9, sb3_contrib.ars.policies",
        obs_clip: "10.0",
        obs_epsilon: "1e-08",
      });
      // The zips are not compressed, and the pickle stores arrays as in memory.
      const [zip, pickle] = [Deno.readFileSync(published), Deno.readFileSync(statistics)];
      for (
        const [name, from] of [
          ["net.0.weight", zip],
          ["obs_rms.mean", pickle],
          ["obs_rms.var", pickle],
        ] as const
      ) {
        const { buffer } = tensors.get(name)!.data;
        assert(contains(from, new Uint8Array(buffer)), `${name} is not in the published file`);
        assertMatch(text, new RegExp(`^${name}  F`, "m"));
      }

      const again = await convert(published, out, "--vecnormalize", statistics);
      assertMatch(again.err, /cannot write .*actor\.safetensors: File exists/);
      const unsure = await convert(published, join(folder, "other.safetensors"));
      assertMatch(unsure.err, /does not state whether its observations are normalized/);
    }),
});

/**
 * * Writes agents in the format of Stable-Baselines3 and PyTorch. The pickles refer to functions
 * only by * name, so stand-ins with the same names replace PyTorch's functions.
 */
const writeAgents = String.raw`
import collections, io, json, os, pickle, struct, sys, types, zipfile
folder = sys.argv[1]
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})
class Float: pass
class Double: pass
for kind, name in ((Float, "FloatStorage"), (Double, "DoubleStorage")):
    kind.__module__, kind.__qualname__ = "torch", name
    setattr(torch, name, kind)
def rebuild(*arguments): pass
rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
utils._rebuild_tensor_v2 = rebuild
class Stored:
    def __init__(self, pid): self.pid = pid
class Pickler(pickle.Pickler):
    def persistent_id(self, value): return value.pid if isinstance(value, Stored) else None
class Tensor:
    def __init__(self, key, kind, count, offset, shape, strides):
        self.made_of = (Stored(("storage", kind, key, "cpu", count)), offset, shape, strides, False,
                        collections.OrderedDict())
    def __reduce__(self): return rebuild, self.made_of
class Malicious:
    def __reduce__(self): return os.system, (f"echo run > {os.path.join(folder, 'executed')}",)

def pth(state, storages):
    pickled, whole = io.BytesIO(), io.BytesIO()
    Pickler(pickled, 2).dump(state)
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("archive/data.pkl", pickled.getvalue())
        for key, numbers in storages.items(): archive.writestr(f"archive/data/{key}", numbers)
    return whole.getvalue()
def agent(name, pth, module="stable_baselines3.common.policies", kwargs={}, high="[1. 1.]", **more):
    data = {"policy_class": {"__module__": module}, "policy_kwargs": {":type:": "", **kwargs},
            "action_space": {"low": "[-1. -1.]", "high": high}, **more}
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("data", json.dumps(data))
        archive.writestr("policy.pth", pth)
        archive.writestr("_stable_baselines3_version", "2.0")

numbers = [float(i) for i in range(12)]
storages = {"0": struct.pack("<12f", *numbers), "1": struct.pack("<12d", *numbers)}
def state(first=Tensor("0", Float, 12, 0, (4, 3), (3, 1)), **more):
    return collections.OrderedDict({
        "log_std": Tensor("0", Float, 12, 0, (2,), (1,)),
        "mlp_extractor.policy_net.0.weight": first,
        "mlp_extractor.policy_net.0.bias": Tensor("0", Float, 12, 8, (4,), (1,)),
        "mlp_extractor.value_net.0.weight": Tensor("0", Float, 12, 0, (4, 3), (3, 1)),
        # As a transposed tensor is saved: the storage's order, and strides.
        "action_net.weight": Tensor("1", Double, 12, 1, (2, 4), (1, 2)),
        "action_net.bias": Tensor("0", Float, 12, 0, (2,), (1,)),
        "value_net.weight": Tensor("0", Float, 12, 0, (1, 4), (4, 1)), **more})
agent("tanh.zip", pth(state(), storages))
agent("relu.zip", pth(state(), storages),
      kwargs={"activation_fn": "<class 'torch.nn.modules.activation.ReLU'>", "net_arch": [4]})
agent("gelu.zip", pth(state(), storages), kwargs={"activation_fn": "<class 'torch.nn.GELU'>"})
agent("squash.zip", pth(state(), storages), kwargs={"squash_output": True})
agent("sde.zip", pth(state(), storages), use_sde=True)
agent("bounds.zip", pth(state(), storages), high="[2. 2.]")
agent("module.zip", pth(state(), storages), module="sb3_contrib.common.recurrent.policies")
agent("stray.zip", pth(state(**{"features_extractor.cnn.weight":
      Tensor("0", Float, 12, 0, (2,), (1,))}), storages))
agent("beyond.zip", pth(state(Tensor("0", Float, 12, 1, (4, 3), (3, 1))), storages))
agent("malicious.zip", pth(state(Malicious()), storages))
with open(os.path.join(folder, "malicious.pkl"), "wb") as file: pickle.dump(Malicious(), file)
agent("legacy.zip", pickle.dumps(Malicious()))
`;

Deno.test({
  name: `sb3_to_safetensors.py executes nothing, converts known layouts, rejects others${skipped}`,
  ignore: python === null,
  fn: () =>
    withFolder(async (folder) => {
      const made = await runPython("-c", writeAgents, folder);
      assert(made.success, made.err);
      const executed = join(folder, "executed");
      const isExecuted = () => Deno.stat(executed).then(() => true, () => false);
      const run = (name: string, ...args: string[]) =>
        convert(
          join(folder, name),
          join(folder, `${name}.safetensors`),
          ...args.length > 0 ? args : ["--no-vecnormalize"],
        );

      // First check that the malicious pickle executes code when loaded normally.
      await runPython(
        "-c",
        `import pickle; pickle.load(open(${JSON.stringify(join(folder, "malicious.pkl"))}, "rb"))`,
      );
      assert(await isExecuted());
      await Deno.remove(executed);
      const refused = await Promise.all([
        run("malicious.zip"),
        run("legacy.zip"),
        convert(
          published,
          join(folder, "out.safetensors"),
          "--vecnormalize",
          join(folder, "malicious.pkl"),
        ),
      ]);
      assert(!await isExecuted());
      assertMatch(
        refused[0]!.err,
        /policy_net\.0\.weight is not a tensor of a torch\.FloatStorage/,
      );
      assertMatch(refused[1]!.err, /policy\.pth: not a readable zip/);
      assertMatch(refused[2]!.err, /not a VecNormalize with float64 observation statistics/);
      for (const { success, err } of refused) {
        assert(!success && !err.includes("Traceback"), err);
      }

      for (const [name, activation] of [["tanh.zip", "tanh"], ["relu.zip", "relu"]] as const) {
        const { success, out, err } = await run(name);
        assert(success, err);
        assertMatch(
          out,
          /omitted: log_std, mlp_extractor\.value_net\.0\.weight, value_net\.weight/,
        );
        const path = join(folder, `${name}.safetensors`);
        const { tensors, metadata } = decode(Deno.readFileSync(path), path);
        assertEquals(metadata, {
          activation,
          output: "clip",
          bias: "all",
          source: "Stable-Baselines3 2.0, stable_baselines3.common.policies",
        });
        const found = [...tensors].map(([name, { shape, data }]) => [name, shape, [...data]]);
        assertEquals(found, [
          ["net.2.weight", [2, 4], [1, 3, 5, 7, 2, 4, 6, 8]],
          ["net.0.weight", [4, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
          ["net.0.bias", [4], [8, 9, 10, 11]],
          ["net.2.bias", [2], [0, 1]],
        ]);
      }

      const messages = {
        "gelu.zip": /its activation is <class 'torch\.nn\.GELU'>, expected torch\.nn ReLU or Tanh/,
        "squash.zip": /policy_kwargs squash_output are not supported/,
        "sde.zip": /state-dependent exploration/,
        "bounds.zip": /actions range from \[-1\.0, -1\.0\] to \[2\.0, 2\.0\], expected -1 to 1/,
        "module.zip": /its policy class is from sb3_contrib\.common\.recurrent\.policies/,
        "stray.zip": /unknown tensors: features_extractor\.cnn\.weight/,
        "beyond.zip": /policy_net\.0\.weight extends past the 48 bytes of its storage/,
        "absent.zip": /not a readable zip/,
      };
      await Promise.all(
        Object.entries(messages).map(async ([name, message]) =>
          assertMatch((await run(name)).err, message)
        ),
      );
    }),
});
