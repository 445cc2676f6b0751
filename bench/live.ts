/**
 * Measures what `train --live` costs the training process: `deno run -A bench/live.ts [--rounds N]
 * [--json] [-- flags of train]`.
 *
 * Runs with and without `--live` take turns, in changing order. A viewer opens the page of each run
 * with `--live` and listens until it ends, in this process, which is not counted. The figure is the
 * processor time (user and system) of the training process with its threads, and of the child that
 * bundles the page's script.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { machineLine } from "./support/machine.ts";
import { Printer } from "./support/rounds.ts";

const root = new URL("..", import.meta.url);
const own = Deno.args.includes("--") ? Deno.args.slice(0, Deno.args.indexOf("--")) : Deno.args;
const rounds = Number(parseArgs(own, { string: ["rounds"] }).rounds ?? 3);
const flags = Deno.args.includes("--") ? Deno.args.slice(Deno.args.indexOf("--") + 1) : [];
const usual = ["--critic-steps", "6000", "--behavior-steps", "1000", "--policy-steps", "1000"];

let adapter = "unknown";

/** Trains once and returns the seconds of processor time. */
async function train(live: boolean): Promise<number> {
  const out = Deno.makeTempDirSync();
  const args = ["run", "-A", "cli.ts", "train", ...usual, ...flags, "--no-cache", "--out", out];
  const child = new Deno.Command("bash", {
    args: [
      "-c",
      'TIMEFORMAT="%U %S"; time "$@"',
      "bash",
      Deno.execPath(),
      ...args,
      ...(live ? ["--live"] : []),
    ],
    cwd: root,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let viewing: Promise<void> | undefined;
  let printed = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    const [, address] = /^live +(http\S+)$/m.exec(printed) ?? [];
    if (address !== undefined) viewing ??= view(address);
  }
  await viewing;
  const [line] = (await errors).trim().split("\n").slice(-1);
  if (!(await child.status).success) throw new Error(await errors);
  Deno.removeSync(out, { recursive: true });
  adapter = /^adapter +([^;]*)/m.exec(printed)?.[1] ?? adapter;
  return line!.split(" ").reduce((sum, seconds) => sum + Number(seconds), 0);
}

/** Loads the page as a browser does, and listens until the run ends. */
async function view(address: string): Promise<void> {
  for (const path of ["", "client.js", "events"]) {
    await (await fetch(address + path)).body?.pipeTo(new WritableStream());
  }
}

const times: { alone: number[]; live: number[] } = { alone: [], live: [] };
for (let round = 0; round < rounds; round++) {
  for (const live of round % 2 === 0 ? [false, true] : [true, false]) {
    times[live ? "live" : "alone"].push(await train(live));
  }
}
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const seconds = (value: number) => value.toFixed(2);
const printer = new Printer(Deno.args.includes("--json"), await machineLine(adapter));
printer.print({
  title: `Processor time of training in seconds, ${rounds} rounds`,
  header: ["round", "alone", "--live", "difference"],
  rows: [
    ...times.alone.map((alone, round) => {
      const live = times.live[round]!;
      return [
        String(round + 1),
        seconds(alone),
        seconds(live),
        `${(100 * (live / alone - 1)).toFixed(2)} %`,
      ];
    }),
    [
      "mean",
      seconds(mean(times.alone)),
      seconds(mean(times.live)),
      `${(100 * (mean(times.live) / mean(times.alone) - 1)).toFixed(2)} %`,
    ],
  ],
});
printer.finish();
