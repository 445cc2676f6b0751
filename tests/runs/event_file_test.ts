import { assertEquals } from "@std/assert";
import { crc32c, record, scalarEvent, versionEvent } from "../../lib/runs/event_file.ts";
import { mayUseFiles, projectFile } from "../data/files.ts";

Deno.test("crc32c(): has the check values of RFC 3720", () => {
  assertEquals(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

Deno.test({
  name: "record(): writes the bytes of TensorBoard's own writer",
  ignore: !mayUseFiles,
  fn: () => {
    // made by tests/fixtures/tensorboard/make.py
    const expected = Deno.readFileSync(
      projectFile("tests/fixtures/tensorboard/scalars.tfevents"),
    );
    const events = [
      versionEvent(1760000000.25),
      scalarEvent(1760000001.5, 0, [{ tag: "critic/loss", value: 0.1 }]),
      scalarEvent(1760000002, 1_500_000, [
        { tag: "critic/loss_q", value: -3.25 },
        { tag: "policy/score", value: 1e-7 },
      ]),
    ];
    assertEquals(new Uint8Array(events.flatMap((event) => [...record(event)])), expected);
  },
});
