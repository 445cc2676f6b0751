/** Tests what identifies the results of an adapter. */
import { assertEquals, assertMatch } from "@std/assert";
import { Gpu } from "../../lib/gpu/device.ts";
import { fingerprintDifferences } from "../../lib/gpu/fingerprint.ts";
import { vectorFeatures } from "../../lib/gpu/processor_features.ts";

const machine = {
  name: "llvmpipe (LLVM 15.0.6, 256 bits)",
  driver: "Mesa",
  driverVersion: "Mesa 22.3.6",
  processor: "avx avx2 fma",
  probe: "4f2974c7faf6e4bb",
};

Deno.test("fingerprintDifferences() names every part that differs", () => {
  assertEquals(fingerprintDifferences(machine, machine), []);
  assertEquals(
    fingerprintDifferences(machine, {
      ...machine,
      driverVersion: "Mesa 25.0.7",
      processor: "avx avx2 avx512f avx512vl",
      probe: "00",
    }),
    [
      "driver version Mesa 22.3.6, now Mesa 25.0.7",
      "processor features, now without fma and with avx512f avx512vl",
      "hash of probed results 4f2974c7faf6e4bb, now 00",
    ],
  );
  assertEquals(
    fingerprintDifferences(machine, {
      ...machine,
      name: "llvmpipe (LLVM 15.0.6, 512 bits)",
    }),
    ["adapter llvmpipe (LLVM 15.0.6, 256 bits), now llvmpipe (LLVM 15.0.6, 512 bits)"],
  );
});

Deno.test("fingerprintDifferences() compares only what both know", () => {
  const { name, driver } = machine;
  assertEquals(fingerprintDifferences({ name, driver, driverVersion: null }, machine), []);
  assertEquals(
    fingerprintDifferences(machine, { ...machine, driverVersion: null, processor: null }),
    [],
  );
});

Deno.test("vectorFeatures() returns the vector features of x86 and ARM processors", () => {
  const x86 =
    "processor\t: 0\nflags\t\t: fpu sse2 sse4_2 fma avx2 avx bmi2 avx512f\n\nprocessor\t: 1";
  assertEquals(vectorFeatures(x86), "avx avx2 avx512f fma sse4_2");
  assertEquals(vectorFeatures("Features\t: fp asimd aes asimddp sve"), "asimd asimddp sve");
  assertEquals(vectorFeatures("processor\t: 0\n"), null);
});

// Without permissions WebGPU finds no adapter.
const permitted = (["env", "read", "ffi"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

Deno.test({
  name: "Gpu.open() describes the adapter with the same fingerprint every time",
  ignore: !permitted,
  fn: async () => {
    const open = async () => {
      const gpu = await Gpu.open();
      gpu.close();
      return gpu.adapter;
    };
    const first = await open();
    assertMatch(first.probe, /^[0-9a-f]{16}$/);
    assertEquals(await open(), first);
  },
});
