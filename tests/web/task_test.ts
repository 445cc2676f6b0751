/** Tests what the tasks of the page share. */
import { assertEquals } from "@std/assert";
import type { Report } from "../../lib/web/messages.ts";
import { Gate, Pace, StepLog } from "../../lib/web/task.ts";

Deno.test("Gate.pass() waits while it is held, and stop() lets pass too", async () => {
  const gate = new Gate();
  await gate.pass();
  gate.hold();
  let passed = 0;
  const first = gate.pass().then(() => passed++);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(passed, 0);
  gate.release();
  await first;
  gate.hold();
  const second = gate.pass().then(() => passed++);
  gate.stop();
  await second;
  assertEquals([passed, gate.stopped], [2, true]);
  gate.hold(); // A stopped task is not held again.
  await gate.pass();
});

Deno.test("Pace.run() draws at once, and again when five times as long has passed", async () => {
  const pace = new Pace();
  const { now } = performance;
  let time = 1000;
  let drawn = 0;
  const draw = () => {
    drawn++;
    time += 200;
    return Promise.resolve();
  };
  performance.now = () => time;
  try {
    await pace.run(draw);
    time += 999;
    await pace.run(draw);
    assertEquals(drawn, 1);
    time += 1;
    await pace.run(draw);
    assertEquals(drawn, 2);
  } finally {
    performance.now = now;
  }
});

Deno.test("StepLog reports the steps of a part together, and every part at its start", () => {
  const reports: Report[] = [];
  const log = new StepLog((report) => reports.push(report));
  log.flush();
  log.add("behavior", 0, 2, {});
  log.add("behavior", 1, 2, { loss: 0.5 });
  log.add("behavior", 2, 2, { loss: 0.25 });
  log.add("policies", 0, 9, {});
  log.flush();
  const rows = [{ step: 1, metrics: { loss: 0.5 } }, { step: 2, metrics: { loss: 0.25 } }];
  assertEquals(reports, [
    { kind: "steps", part: "behavior", steps: 2, rows: [] },
    { kind: "steps", part: "behavior", steps: 2, rows },
    { kind: "steps", part: "policies", steps: 9, rows: [] },
    { kind: "steps", part: "policies", steps: 9, rows: [] },
  ]);
});
