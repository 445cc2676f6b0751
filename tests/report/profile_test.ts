import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { chromeTrace, type Profile, profileText } from "../../lib/report/profile.ts";

const product = { operations: ["linear"], flops: 4e6, bytes: 1e6 };
const dispatch = { kernel: "matmul", directives: ["NT"], jobs: 3, workgroups: 12, work: product };
const profile: Profile = {
  stage: "critic",
  // Products are compute-bound, Adam is memory-bound.
  roofline: { flops: 80e9, bytes: 10e9 },
  dispatches: [
    { ...dispatch, start: 0, seconds: 2e-4, work: { ...product, flops: 8e6 } },
    {
      ...dispatch,
      kernel: "adam",
      directives: [],
      start: 2e-4,
      seconds: 4e-4,
      work: { operations: ["adam"], flops: 0, bytes: 2e6 },
    },
    { ...dispatch, start: 7e-4, seconds: 4e-4, work: { ...product, flops: 8e6 } },
  ],
};

Deno.test("profileText(): sums the dispatches of a kernel and computes their share of the roofline", () => {
  const text = profileText(profile);
  const row = (kernel: string) =>
    text.split("\n").find((line) => line.startsWith(kernel))!.split(/ {2,}/);
  assertEquals(row("matmul NT"), [
    ...["matmul NT", "2", "600.0", "60.0 %", "16.00", "2.00", "26.7", "3.33", "33.3 %", "linear"],
  ]);
  assertEquals(row("adam"), [
    ...["adam", "1", "400.0", "40.0 %", "–", "2.00", "–", "5.00", "50.0 %", "adam"],
  ]);
  assertEquals(row("all").slice(1, 4), ["3", "1000.0", "100.0 %"]);
  assertStringIncludes(text, "1100.0 µs on the GPU");
});

Deno.test("profileText(): states that times are unknown without timestamp queries", () => {
  const bare = profile.dispatches.map(({ start: _, seconds: __, ...rest }) => rest);
  const text = profileText({ stage: "policy", roofline: null, dispatches: bare });
  assertStringIncludes(text, "no timestamp queries");
  assertMatch(text, /matmul NT +2 +– +– +16\.00 +2\.00 +– +– +– +linear/);
});

Deno.test("chromeTrace(): has one complete event in microseconds per dispatch", () => {
  const { traceEvents } = JSON.parse(chromeTrace(profile));
  const events = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
  assertEquals(
    events.map(({ name, ts, dur }: { name: string; ts: number; dur: number }) => [
      name,
      Math.round(ts),
      Math.round(dur),
    ]),
    [["matmul NT", 0, 200], ["adam", 200, 400], ["matmul NT", 700, 400]],
  );
  assertEquals(events[0].args.workgroups, 12);
});
