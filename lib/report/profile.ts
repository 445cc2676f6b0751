/**
 * Where the time of a step goes: a table with a row for each kernel, and a trace that Chrome's
 * `about:tracing` and Perfetto show.
 *
 * @module
 */
import type { DispatchTime } from "../gpu/program.ts";
import type { Roofline } from "../gpu/roofline.ts";
import { formatTable } from "./table.ts";

/** A dispatch of a step, with its time where the adapter can tell it. */
export type ProfiledDispatch =
  & Omit<DispatchTime, "start" | "seconds">
  & Partial<Pick<DispatchTime, "start" | "seconds">>;

/** A profile of one stage's step. */
export interface Profile {
  /** Name of the stage. */
  readonly stage: string;
  /** Its dispatches, in order. */
  readonly dispatches: readonly ProfiledDispatch[];
  /** Null where times are not known. */
  readonly roofline: Roofline | null;
}

/** One row of the table: all dispatches of one kernel with the same directives. */
interface KernelRow {
  readonly kernel: string;
  readonly operations: Set<string>;
  dispatches: number;
  seconds: number;
  flops: number;
  bytes: number;
  /** Seconds it would take at the roofline. */
  least: number;
}

const header = [
  "kernel",
  "dispatches",
  "µs",
  "time",
  "MFLOP",
  "MB",
  "GFLOP/s",
  "GB/s",
  "roofline",
  "operations",
];

/**
 * The table as text. Per kernel: its dispatches; their time and its share of all; what they have to
 * compute and to move, and how much of that in a second; and the share of the roofline, which is the
 * time that the arithmetic or the bytes (whichever takes longer) would take at the measured limits,
 * over the time it took.
 */
export function profileText(profile: Profile): string {
  const { stage, dispatches, roofline } = profile;
  const rows = kernelRows(profile);
  const total = rows.reduce((sum, { seconds }) => sum + seconds, 0);
  const all: KernelRow = {
    kernel: "all",
    operations: new Set(),
    dispatches: dispatches.length,
    seconds: total,
    flops: rows.reduce((sum, { flops }) => sum + flops, 0),
    bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
    least: rows.reduce((sum, { least }) => sum + least, 0),
  };
  const timed = roofline !== null;
  const last = dispatches.at(-1);
  const notes = timed
    ? [
      `one step: ${
        microseconds(last!.start! + last!.seconds!)
      } µs on the GPU with each dispatch in ` +
      `a pass of its own, ${microseconds(total)} µs of it in kernels`,
      `roofline: ${(roofline.flops / 1e9).toPrecision(4)} GFLOP/s of multiply-adds in registers, ` +
      `${(roofline.bytes / 1e9).toPrecision(4)} GB/s of copying, both measured just now`,
    ]
    : ["times are not known: the adapter has no timestamp queries"];
  return [
    `Kernels of one step of the ${stage} stage`,
    formatTable(header, [...rows, all].map((row) => line(row, total, timed)), Infinity),
    ...notes,
    "FLOPs are those of matrix products; bytes are the sizes of the tensors read and written.",
  ].join("\n");
}

function line(row: KernelRow, total: number, timed: boolean): (string | number)[] {
  const { kernel, operations, dispatches, seconds, flops, bytes, least } = row;
  const known = (value: string) => timed ? value : "–";
  return [
    kernel,
    dispatches,
    known(microseconds(seconds)),
    known(percent(seconds / total)),
    flops > 0 ? (flops / 1e6).toPrecision(4) : "–",
    (bytes / 1e6).toPrecision(3),
    flops > 0 ? known((flops / seconds / 1e9).toPrecision(3)) : "–",
    known((bytes / seconds / 1e9).toPrecision(3)),
    known(percent(least / seconds)),
    [...operations].join(", "),
  ];
}

/** Rows by kernel, the longest first; where no times are known, in the order of the step. */
function kernelRows({ dispatches, roofline }: Profile): KernelRow[] {
  const rows = new Map<string, KernelRow>();
  for (const dispatch of dispatches) {
    const kernel = nameOf(dispatch);
    const row = rows.get(kernel) ?? {
      kernel,
      operations: new Set(),
      dispatches: 0,
      seconds: 0,
      flops: 0,
      bytes: 0,
      least: 0,
    };
    rows.set(kernel, row);
    const { operations = [], flops = 0, bytes = 0 } = dispatch.work ?? {};
    operations.forEach((name) => row.operations.add(name));
    row.dispatches++;
    row.seconds += dispatch.seconds ?? 0;
    row.flops += flops;
    row.bytes += bytes;
    if (roofline) row.least += Math.max(flops / roofline.flops, bytes / roofline.bytes);
  }
  return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
}

/** The step as a Chrome trace: one complete event for each dispatch, times in microseconds. */
export function chromeTrace({ stage, dispatches }: Profile): string {
  return JSON.stringify({
    displayTimeUnit: "ms",
    traceEvents: [
      { name: "process_name", ph: "M", pid: 1, tid: 1, args: { name: `${stage} step` } },
      { name: "thread_name", ph: "M", pid: 1, tid: 1, args: { name: "GPU" } },
      ...dispatches.map((dispatch) => ({
        name: nameOf(dispatch),
        cat: "kernel",
        ph: "X",
        pid: 1,
        tid: 1,
        ts: dispatch.start! * 1e6,
        dur: dispatch.seconds! * 1e6,
        args: {
          operations: dispatch.work?.operations.join(", "),
          jobs: dispatch.jobs,
          workgroups: dispatch.workgroups,
          flops: dispatch.work?.flops,
          bytes: dispatch.work?.bytes,
        },
      })),
    ],
  });
}

function nameOf({ kernel, directives }: ProfiledDispatch): string {
  return [kernel, ...directives].join(" ");
}

function microseconds(seconds: number): string {
  return (seconds * 1e6).toFixed(1);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
