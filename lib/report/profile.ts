/**
 * Profile of a training step: a table with one row per kernel, and a trace file for Perfetto or
 * Chrome's `about:tracing`.
 *
 * @module
 */
import type { DispatchTime } from "../gpu/program.ts";
import type { Roofline } from "../gpu/roofline.ts";
import { formatTable } from "./table.ts";

/** A dispatch of a step, with its time if the adapter supports timestamp queries. */
export type ProfiledDispatch =
  & Omit<DispatchTime, "start" | "seconds">
  & Partial<Pick<DispatchTime, "start" | "seconds">>;

/** Profile of one step of a stage. */
export interface Profile {
  /** Name of the stage. */
  readonly stage: string;
  /** Dispatches of the step, in order. */
  readonly dispatches: readonly ProfiledDispatch[];
  /** Measured roofline; null if times are unknown. */
  readonly roofline: Roofline | null;
}

/** A table row: all dispatches of one kernel with the same directives. */
interface KernelRow {
  readonly kernel: string;
  readonly operations: Set<string>;
  dispatches: number;
  seconds: number;
  flops: number;
  bytes: number;
  /** Seconds at the roofline: the lower bound of `seconds`. */
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
 * Formats the table. The columns per kernel are the number of dispatches, their time and share of
 * the total, FLOPs and bytes with their rates, and the share of the roofline. That share is the
 * ideal time divided by the measured time. The ideal time is the longer of arithmetic and memory
 * traffic at the measured limits.
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
      `one step: ${microseconds(last!.start! + last!.seconds!)} µs on the GPU with one pass per ` +
      `dispatch, ${microseconds(total)} µs of it in kernels`,
      `roofline: ${(roofline.flops / 1e9).toPrecision(4)} GFLOP/s of multiply-adds in registers, ` +
      `${(roofline.bytes / 1e9).toPrecision(4)} GB/s of copying, both measured in this run`,
    ]
    : ["times are unknown: the adapter has no timestamp queries"];
  return [
    `Kernels of one step of the ${stage} stage`,
    formatTable(header, [...rows, all].map((row) => line(row, total, timed)), Infinity),
    ...notes,
    "FLOPs count matrix products only; bytes are the sizes of the tensors read and written.",
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

/** Returns one row per kernel, longest time first, or in step order if times are unknown. */
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

/** Returns the step as a Chrome trace: one complete event per dispatch, times in microseconds. */
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
