import { assertEquals } from "@std/assert";

const ignore = Deno.build.os === "windows" ||
  !(["read", "write", "run", "env", "ffi"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );

Deno.test({
  name: "a run of two seeds that is killed at random moments equals one that was not",
  ignore,
  fn: async () => {
    const { killAfter, outcomeOf, trainIn } = await import("./killed_run.ts");
    const root = Deno.makeTempDirSync();
    try {
      const begun = performance.now();
      await trainIn(`${root}/whole`);
      const whole = performance.now() - begun;
      const delays = Array.from({ length: 3 }, () => Math.round(Math.random() * whole));
      for (const delay of delays) await killAfter(delay, `${root}/killed`);
      await trainIn(`${root}/killed`);
      assertEquals(
        outcomeOf(`${root}/killed`),
        outcomeOf(`${root}/whole`),
        `killed after ${delays.join(", ")} ms`,
      );
    } finally {
      Deno.removeSync(root, { recursive: true });
    }
  },
});
