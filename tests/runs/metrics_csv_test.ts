import { assertEquals } from "@std/assert";
import { metricsCsv } from "../../lib/runs/metrics_csv.ts";

Deno.test("metricsCsv(): quotes cells with separators, and prints numbers in full", () => {
  const row = { time: "t", stage: "critic", step: 1, seed: 0, episodes: null };
  const csv = metricsCsv([
    { ...row, variant: 'beta-"1",2', metrics: { loss: 0.1 + 0.2 } },
    { ...row, variant: null, metrics: { "a,b": -0.5 } },
  ]);
  assertEquals(
    csv,
    'time,stage,step,seed,variant,loss,"a,b"\r\n' +
      't,critic,1,0,"beta-""1"",2",0.30000000000000004,\r\n' +
      "t,critic,1,0,,,-0.5\r\n",
  );
});
