/** Tests reading and writing of state dicts with PyTorch itself, where it is installed. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { writePickle } from "../../lib/pytorch/pickle.ts";
import { readStateDict, type StateTensor, writeStateDict } from "../../lib/pytorch/state_dict.ts";

const tensors = new Map<string, StateTensor>([
  ["net.0.weight", { shape: [2, 3], data: Float32Array.of(1, -2.5, 2 ** -25, 4, 5, 6) }],
  ["net.0.bias", { shape: [2], data: Float32Array.of(0.1, 0.2) }],
  ["mean", { shape: [1, 2], data: Float64Array.of(1 / 3, -1e300) }],
  ["count", { shape: [], data: BigInt64Array.of(7n) }],
]);

Deno.test("readStateDict() reads what writeStateDict() writes", async () => {
  assertEquals(await readStateDict(await writeStateDict(tensors), "a.pth"), tensors);
});

Deno.test("readStateDict() refuses damaged files and other pickles", async () => {
  const whole = await writeStateDict(tensors);
  const refused = (bytes: Uint8Array, message: string) =>
    assertRejects(() => readStateDict(bytes, "a.pth"), UserError, message);
  await refused(whole.subarray(0, whole.length - 30), "a.pth: not a whole zip archive");
  const flipped = whole.slice();
  const at = new TextDecoder("latin1").decode(whole).indexOf("archive/data/0") + 20;
  flipped[at]! ^= 1;
  await refused(flipped, "a.pth: not a whole zip archive");
  // The pickle of a tensor that is larger than its storage.
  const long = new Map([["w", { shape: [4], data: Float32Array.of(1, 2) }]]);
  await refused(await writeStateDict(long), "w exceeds its storage");
  await refused(
    await writeStateDict(new Map([["w", { shape: [-1], data: new Float32Array() }]])),
    "w has an invalid shape",
  );
});

/** A Python with PyTorch; null if there is none. */
function findTorch(): string | null {
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") return null;
  for (const python of ["python3", "/usr/bin/python3"]) {
    try {
      const { success } = new Deno.Command(python, { args: ["-c", "import torch"], stderr: "null" })
        .outputSync();
      if (success) return python;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

const python = findTorch();

async function withPython(
  program: string,
  body: (run: () => Promise<string>, folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    await body(async () => {
      const { success, stdout, stderr } = await new Deno.Command(python!, {
        args: ["-c", program],
        cwd: folder,
      }).output();
      const text = new TextDecoder();
      if (!success) throw new Error(text.decode(stderr));
      return text.decode(stdout);
    }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "state dicts: torch.load() and torch.save() agree with this program",
  ignore: python === null,
  fn: async () => {
    const program = `
import torch
from collections import OrderedDict
state = torch.load("ours.pth")
assert list(state) == ["net.0.weight", "net.0.bias", "mean", "count"]
print([(list(value.shape), str(value.dtype), value.tolist()) for value in state.values()])
shared = torch.arange(12, dtype=torch.float32).reshape(3, 4)
torch.save(OrderedDict(state, view=shared[1:, ::2], transposed=shared.T), "theirs.pth")
# A pickle that would run a command, as an attacker writes it.
class Attack:
    def __reduce__(self):
        import os
        return os.system, ("touch attacked",)
torch.save({"w": Attack()}, "attack.pth")
`;
    await withPython(program, async (run, folder) => {
      const file = (name: string) => join(folder, name);
      await Deno.writeFile(file("ours.pth"), await writeStateDict(tensors));
      assertEquals(
        await run(),
        "[([2, 3], 'torch.float32', [[1.0, -2.5, 2.9802322387695312e-08], [4.0, 5.0, 6.0]]), " +
          "([2], 'torch.float32', [0.10000000149011612, 0.20000000298023224]), " +
          "([1, 2], 'torch.float64', [[0.3333333333333333, -1e+300]]), ([], 'torch.int64', 7)]\n",
      );
      const read = await readStateDict(await Deno.readFile(file("theirs.pth")), "theirs.pth");
      assertEquals(
        read,
        new Map<string, StateTensor>([
          ...tensors,
          ["view", { shape: [2, 2], data: Float32Array.of(4, 6, 8, 10) }],
          ["transposed", {
            shape: [4, 3],
            data: Float32Array.of(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11),
          }],
        ]),
      );
      await assertRejects(
        async () => readStateDict(await Deno.readFile(file("attack.pth")), "attack.pth"),
        UserError,
        "attack.pth: w is not a tensor",
      );
      assertEquals(
        [...Deno.readDirSync(folder)].map(({ name }) => name).includes("attacked"),
        false,
      );
    });
  },
});

Deno.test("writePickle() writes names as GLOBAL, the opcode of protocol 2", () => {
  const bytes = writePickle({ of: "a b", arguments: [[1, "é"], null], items: new Map() });
  assertEquals(Array.from(bytes.subarray(0, 8)), [0x80, 2, 0x63, 0x61, 0x0a, 0x62, 0x0a, 0x28]);
});
