/**
 * `data get`: downloads D4RL's file of a task, checks it and puts it where `train` looks for it.
 *
 * @module
 */
import { relative } from "node:path";
import { findTask, mirrors } from "../data/catalog.ts";
import { persistence } from "../data/download.ts";
import { getData, type GotFile, partOf } from "../data/get.ts";
import { dataFolder } from "../data/resolve.ts";
import { partialBytes } from "../data/transfer.ts";
import { UserError } from "../errors.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { Progress, standardError } from "../runs/progress.ts";
import { parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data get",
  summary: "Downloads D4RL's data file of a task to data/, or checks the file that is there. An " +
    "interrupted download is continued. The SHA-256 is compared with the known one, or else with " +
    "that of the first download.",
  positionals: [{ name: "task", help: "A D4RL task, for example hopper-medium-v2" }],
  flags: {
    mirror: text(
      `Address of a folder that holds the file under D4RL's name, or ${
        [...mirrors].map(([name, address]) => `${name} for ${address}`).join(", ")
      }`,
      { valueName: "URL", shown: "D4RL's own host" },
    ),
  },
} as const;

/** Settings that tests replace. */
export interface GetSettings {
  /** Folder for the file. */
  readonly folder?: string;
  /** How attempts are repeated. */
  readonly persistence?: typeof persistence;
}

/**
 * Downloads a data file.
 *
 * @throws {UserError} If the task is unknown or the file cannot be downloaded or verified; see
 * {@linkcode getData}.
 */
export async function dataGet(args: readonly string[], settings: GetSettings = {}): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const task = findTask(parsed.positionals[0]!);
  const folder = settings.folder ?? dataFolder;
  const part = partOf(folder, task);
  using interrupt = watchInterrupt("stopping the download");
  let line = null as Progress | null;
  try {
    const got = await getData(task, {
      folder,
      mirror: parsed.flags.mirror ?? null,
      persistence: settings.persistence ?? persistence,
      signal: interrupt.signal,
      announce: (message) => line === null ? console.error(message) : line.note(message),
      progress: (bytes, total) => {
        if (total === null) return;
        line ??= new Progress(
          task.file,
          kilo(total),
          standardError(),
          kilo(bytes),
          undefined,
          "kB",
        );
        line.update(kilo(bytes), {});
      },
    });
    line?.finish();
    console.log(outcome(got));
  } catch (error) {
    line?.finish();
    if (!interrupt.requested) throw error;
    throw new UserError(
      `stopped; ${await partialBytes(part)} bytes are kept in ${shown(part)}, and the same ` +
        "command continues",
      interrupt.exitCode!,
    );
  }
}

function outcome({ path, bytes, sha256, downloaded, compared }: GotFile): string {
  const checks = {
    "catalog": "as in the catalog",
    "first download": "as when it was first seen",
    "nothing": "recorded, as this task's hash was not known",
  };
  return `${shown(path)}  ${bytes} bytes, ${downloaded ? "downloaded" : "already here"}\n` +
    `SHA-256  ${sha256}, ${checks[compared]}`;
}

function kilo(bytes: number): number {
  return Math.round(bytes / 1000);
}

function shown(path: string): string {
  const short = relative(Deno.cwd(), path);
  return short.startsWith("..") ? path : short;
}
