import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ignore = (["run", "read", "env"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

Deno.test({
  name: "lib/bandit: the experiment and its figure need neither Deno nor Node",
  ignore,
  fn: async () => {
    const esbuild = await import("esbuild"); // Reads environment variables.
    const files = ["experiment", "budget", "figure"].map((name) => `./lib/bandit/${name}.ts`);
    const { outputFiles: [file] } = await esbuild.build({
      stdin: {
        contents: files.map((path) => `export * from "${path}";`).join(""),
        resolveDir: root,
        loader: "ts",
      },
      bundle: true,
      write: false,
      format: "esm",
      platform: "browser",
      loader: { ".wgsl": "text" },
      external: ["d3-*", "wgsl-preprocessor", "node:*"],
    });
    await esbuild.stop();
    const { text } = file!;
    assertEquals(
      new Set([...text.matchAll(/ from "([^"]+)"/g)].map(([, name]) => name)),
      new Set(["d3-contour", "d3-scale-chromatic", "wgsl-preprocessor"]),
    );
    assert(!text.includes("Deno."));
  },
});
