/** Tests the translation of the official code's state dicts. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { srpo } from "../../lib/algorithms/srpo/algorithm.ts";
import { td3Bc } from "../../lib/algorithms/td3-bc/algorithm.ts";
import { UserError } from "../../lib/errors.ts";
import { officialFiles, readGivenCheckpoint } from "../../lib/runs/official_checkpoint.ts";
import { decode, encode, type SafeTensor } from "../../lib/runs/safetensors.ts";
import { readStateDict } from "../../lib/pytorch/state_dict.ts";
import { mlpTensors } from "../nn/host/networks.ts";

const ignore = Deno.permissions.querySync({ name: "write" }).state !== "granted";
const [critic, behavior] = srpo.stages as [typeof srpo.stages[0], typeof srpo.stages[0]];

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "readGivenCheckpoint() reads what officialFiles() writes, without networks that it omits",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const kept = new Map<string, SafeTensor>([
        ...mlpTensors("q0.q1", 5, 4, 1),
        ...mlpTensors("q0_target.q2", 5, 4, 1),
        ...mlpTensors("vf.v", 3, 4, 1),
      ]);
      const tensors = new Map([...kept, ...mlpTensors("policy.net", 3, 4, 2)]);
      const files = await officialFiles(critic, { tensors, metadata: {} });
      assertEquals([...files.keys()], ["critic"]);
      const path = join(folder, "critic.pth");
      await Deno.writeFile(path, files.get("critic")!);
      const read = decode(await readGivenCheckpoint(path, critic), path);
      assertEquals(read.tensors, kept);
      assertEquals(read.metadata, { format: "pt", stage: "critic" });
      await assertRejects(
        () => readGivenCheckpoint(path, behavior),
        UserError,
        "has no tensor of the behavior model; expected names that begin with diffusion_behavior.",
      );
    }),
});

Deno.test({
  name: "readGivenCheckpoint() leaves files of this program as they are, and refuses others",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "critic.safetensors");
      const bytes = encode(mlpTensors("q0.q1", 5, 4, 1), { step: "3" });
      await Deno.writeFile(path, bytes);
      assertEquals(await readGivenCheckpoint(path, critic), bytes);
      await Deno.writeFile(path, encode(new Map(), { stage: "behavior", step: "3" }));
      await assertRejects(
        () => readGivenCheckpoint(path, critic),
        UserError,
        "is a checkpoint of the behavior stage, expected the critic",
      );
      await Deno.writeTextFile(path, "PKnot a zip");
      await assertRejects(() => readGivenCheckpoint(path, critic), UserError, "not a whole zip");
    }),
});

Deno.test("officialFiles() numbers TD3+BC's layers as the official code does", async () => {
  const tensors = new Map<string, SafeTensor>([
    ...mlpTensors("critic.q1", 5, 4, 4, 1),
    ...mlpTensors("critic.q2", 5, 4, 4, 1),
    ...mlpTensors("actor.net", 3, 4, 4, 2),
  ]);
  const files = await officialFiles(td3Bc.stages[0]!, { tensors, metadata: {} });
  const layers = async (name: string) =>
    [...(await readStateDict(files.get(name)!, name)).keys()].filter((key) => key.endsWith("bias"));
  assertEquals(await layers("actor"), ["l1.bias", "l2.bias", "l3.bias"]);
  assertEquals(await layers("critic"), [1, 2, 3, 4, 5, 6].map((layer) => `l${layer}.bias`));
});
