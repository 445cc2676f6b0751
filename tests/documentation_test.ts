import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

interface Documented {
  readonly doc?: string;
  readonly tags?: readonly { readonly doc?: string }[];
}

interface Symbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly jsDoc?: Documented;
    readonly def: unknown;
  }[];
}

Deno.test({
  name: "mod.ts: the documentation of each function on tensors or arrays gives shapes",
  ignore: Deno.permissions.querySync({ name: "run" }).state !== "granted",
  fn: async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["doc", "--json", fileURLToPath(new URL("../mod.ts", import.meta.url))],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
      nodes: Record<string, { symbols: readonly Symbol[] }>;
    };
    const functions = Object.values(nodes).flatMap(({ symbols }) => symbols)
      .flatMap(({ name, declarations }) =>
        declarations.filter(({ kind, def }) =>
          kind === "function" && /"(Tensor|Float32Array)"/.test(JSON.stringify(def))
        ).map(({ jsDoc }) => ({ name, jsDoc }))
      );
    assert(functions.length > 50, `found ${functions.length} functions`);
    const shapeless = functions.filter(({ jsDoc }) =>
      ![jsDoc, ...jsDoc?.tags ?? []].some((each) => /`\[|the shape of/.test(each?.doc ?? ""))
    ).map(({ name }) => name);
    assertEquals(shapeless, []);
  },
});
