import { formatDuration } from "../../lib/duration.ts";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  eraseProgress,
  formatLoss,
  formatProgress,
  Progress,
  type ProgressOutput,
  Rate,
} from "../../lib/runs/progress.ts";

/** An output with a manual clock. */
function recorder(terminal: boolean, columns = 200) {
  const state = { time: 0, text: "" };
  const output: ProgressOutput = {
    terminal,
    columns: () => columns,
    write: (text) => void (state.text += text),
    now: () => state.time,
  };
  return { state, output };
}

Deno.test("formatProgress() shows stage, steps, rate, time left and the losses in order", () => {
  assertEquals(
    formatProgress({
      stage: "critic",
      step: 12000,
      total: 20000,
      stepsPerSecond: 312.4,
      losses: { q_loss: 0.0123456, v_loss: 1.5e-7 },
    }),
    "critic    12,000/20,000  60 %  312 steps/s  0:26 left  q_loss 0.01235  v_loss 1.500e-7",
  );
});

Deno.test("formatProgress() omits unknown rates and the time left of a finished stage", () => {
  const state = { stage: "policy", step: 0, total: 10, stepsPerSecond: null, losses: {} };
  assertEquals(formatProgress(state), "policy    0/10  0 %");
  assertEquals(
    formatProgress({ ...state, step: 10, stepsPerSecond: 0.456 }),
    "policy    10/10  100 %  0.46 steps/s",
  );
  assertEquals(formatProgress({ ...state, total: 0 }), "policy    0/0  100 %");
});

Deno.test("formatDuration() formats seconds to days", () => {
  assertEquals(
    [0, 7.4, 59.6, 754, 10930, 86399.7, 183730].map(formatDuration),
    ["0:00", "0:07", "1:00", "12:34", "3:02:10", "1 d 0:00:00", "2 d 3:02:10"],
  );
});

Deno.test("formatLoss() keeps four significant digits at every size", () => {
  assertEquals(
    [0, 12.345678, -0.0123456, 999.96, 12345.6, 1234567, 1.2346e-7, Infinity].map(formatLoss),
    ["0.000", "12.35", "-0.01235", "1000", "12346", "1.235e+6", "1.235e-7", "Infinity"],
  );
});

Deno.test("Rate is exact at a constant speed from the first measurement", () => {
  const rate = new Rate(10);
  assertEquals(rate.perSecond, null);
  for (let i = 0; i < 50; i++) {
    rate.add(30, 0.1);
    assertAlmostEquals(rate.perSecond!, 300, 1e-9);
  }
});

Deno.test("Rate follows a change of speed within its memory", () => {
  const rate = new Rate(10);
  for (let second = 0; second < 100; second++) rate.add(100, 1);
  for (let second = 0; second < 10; second++) rate.add(10, 1);
  // After one memory, the weight of the old speed has decayed to 1/e.
  assertAlmostEquals(rate.perSecond!, 10 + 90 * Math.exp(-1), 0.01);
});

Deno.test("Progress redraws one line on a terminal, at most ten times per second", () => {
  const { state, output } = recorder(true);
  const progress = new Progress("critic", 100, output);
  for (const [time, step] of [[1000, 10], [1050, 11], [1100, 12]] as const) {
    state.time = time;
    progress.update(step, { loss: 1 });
  }
  progress.finish();
  assertEquals(state.text.split("\r\x1b[K"), [
    "",
    "critic    10/100  10 %  10.0 steps/s  0:09 left  loss 1.000",
    "critic    12/100  12 %  10.9 steps/s  0:08 left  loss 1.000",
    "critic    12/100  12 %  10.9 steps/s  0:08 left  loss 1.000\n",
  ]);
});

Deno.test("Progress.skipTime() excludes steps from the rate", () => {
  const { state, output } = recorder(true);
  const progress = new Progress("critic", 100, output);
  state.time = 5000;
  progress.skipTime(1);
  progress.update(1, {});
  state.time = 6000;
  progress.update(11, {});
  assertEquals(state.text.split("\r\x1b[K"), [
    "",
    "critic    1/100  1 %",
    "critic    11/100  11 %  10.0 steps/s  0:09 left",
  ]);
});

Deno.test("Progress truncates the line to the terminal, so that it never wraps", () => {
  const { state, output } = recorder(true, 20);
  state.time = 1;
  new Progress("critic", 100, output).update(1, { loss: 1 });
  assertEquals(state.text, "\r\x1b[Kcritic    1/100  1 ");
});

Deno.test("Progress without a terminal writes a line every ten seconds and the final state", () => {
  const { state, output } = recorder(false);
  const progress = new Progress("policy", 300, output, 100);
  for (let second = 1; second <= 25; second++) {
    state.time = second * 1000;
    progress.update(100 + 2 * second, {});
  }
  progress.finish();
  progress.finish();
  assertEquals(
    state.text,
    [
      "policy    102/300  34 %  2.0 steps/s  1:39 left",
      "policy    122/300  40 %  2.0 steps/s  1:29 left",
      "policy    142/300  47 %  2.0 steps/s  1:19 left",
      "policy    150/300  50 %  2.0 steps/s  1:15 left",
      "",
    ].join("\n"),
  );
});

Deno.test("Progress.skipTime() excludes an evaluation from the rate", () => {
  const { state, output } = recorder(false);
  const progress = new Progress("policy", 100, output);
  state.time = 60_000;
  progress.skipTime();
  state.time = 61_000;
  progress.update(50, {});
  assertEquals(state.text, "policy    50/100  50 %  50.0 steps/s  0:01 left\n");
});

Deno.test("Progress.note() puts a line above the progress line", () => {
  const { state, output } = recorder(true);
  const progress = new Progress("policy", 100, output);
  progress.note("score 57");
  assertEquals(state.text, "\r\x1b[Kscore 57\n\r\x1b[Kpolicy    0/100  0 %");
});

Deno.test("Progress of two stages shares the line of a terminal until one finishes", () => {
  const { state, output } = recorder(true);
  const critic = new Progress("critic", 1000, output);
  const behavior = new Progress("behavior", 50, output);
  const drawn = () => {
    const { text } = state;
    state.text = "";
    return text;
  };
  eraseProgress(output);
  assertEquals(drawn(), "");
  state.time = 1000;
  critic.update(100, { loss: 1 });
  assertEquals(drawn(), "\r\x1b[Kcritic    100/1,000  10 %  100 steps/s  0:09 left  loss 1.000");
  behavior.update(5, { loss: 2 });
  const both = "critic 10 %  100 steps/s  0:09 left  |  behavior 10 %  5.0 steps/s  0:09 left";
  assertEquals(drawn(), `\r\x1b[K${both}`);
  eraseProgress(output);
  assertEquals(drawn(), "\r\x1b[K");
  behavior.evaluated(1, 20);
  behavior.finish();
  assertEquals(
    drawn(),
    "\r\x1b[Kbehavior  5/50  10 %  5.0 steps/s  0:09 left  loss 2.000  evaluated 1/20 episodes\n" +
      "\r\x1b[Kcritic    100/1,000  10 %  100 steps/s  0:09 left  loss 1.000",
  );
});

Deno.test({
  name: "standardError() discards progress after its reader has gone",
  ignore: (["run", "read"] as const)
    .some((name) => Deno.permissions.querySync({ name }).state !== "granted"),
  fn: async () => {
    const module = new URL("../../lib/runs/progress.ts", import.meta.url).href;
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["eval", "--no-lock"],
        `import { standardError } from ${JSON.stringify(module)};
        const output = standardError();
        output.write("begun\\n");
        await Deno.stdin.read(new Uint8Array(1));
        for (let i = 0; i < 100; i++) output.write("more\\n");
        console.log("done");`,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stderr.getReader();
    await reader.read();
    await reader.cancel();
    const stdin = child.stdin.getWriter();
    await stdin.write(new Uint8Array(1));
    await stdin.close();
    assertEquals(await new Response(child.stdout).text(), "done\n");
    assertEquals((await child.status).code, 0);
  },
});
