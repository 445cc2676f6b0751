/**
 * `data list`: all tasks, with the data that are here, the paper's scores and β.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import {
  addressOf,
  type D4rlTask,
  findTask,
  knownFileOf,
  paperScoreText,
  tasks,
} from "../data/catalog.ts";
import { partOf } from "../data/get.ts";
import { dataFolder } from "../data/resolve.ts";
import { formatTable } from "../report/table.ts";
import { parseFlags, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data list",
  summary: "Lists all tasks: which data are in data/, the paper's SRPO scores and its β.",
  positionals: [],
  flags: { json: toggle("Print one JSON object instead of a table") },
} as const;

/**
 * Prints one line per task.
 *
 * @param folder The folder with D4RL's files.
 * @throws {UserError} If a flag is invalid.
 */
export async function dataList(
  args: readonly string[],
  folder: string = dataFolder,
): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const rows = await Promise.all(
    [...tasks.values()].map(async (task) => ({ task, here: await holdingOf(task, folder) })),
  );
  if (parsed.flags.json) {
    console.log(JSON.stringify({ folder, tasks: rows.map(toJson) }));
    return;
  }
  console.log(formatTable(
    ["task", "here", "paper's score", "β"],
    rows.map(({ task, here }) => [
      task.name,
      hereText(here),
      "SRPO" in task.paperScores ? paperScoreText(task.paperScores["SRPO"]!) : "–",
      task.beta ?? "–",
    ]),
  ));
  console.log(
    "\nhere: D4RL's file, the files of its parts, or the bundled sample, in " + folder +
      "\npaper's score: SRPO, Table 1, mean ± standard deviation over six seeds; β: Table 2" +
      "\nTo download a task's file: data get <task>",
  );
}

/** What is here of a task's data. */
interface Holding {
  readonly kind: "file" | "parts" | "sample" | "incomplete" | "nothing";
  /** Size of the files in bytes. */
  readonly bytes: number;
}

/** Returns what `train <task>` would use, or else how much of a download has arrived. */
async function holdingOf(task: D4rlTask, folder: string): Promise<Holding> {
  const bytesOf = async (path: string) => {
    try {
      const found = await stat(path);
      return found.isFile() ? found.size : null;
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code!)) return null;
      throw error;
    }
  };
  const whole = await bytesOf(join(folder, task.file));
  if (whole !== null) return { kind: "file", bytes: whole };
  const parts = await Promise.all(
    task.parts.map((part) => bytesOf(join(folder, findTask(part).file))),
  );
  if (parts.length > 0 && parts.every((bytes) => bytes !== null)) {
    return { kind: "parts", bytes: parts.reduce((sum, bytes) => sum + bytes, 0) };
  }
  const sample = task.sample === null ? null : await bytesOf(join(folder, task.sample));
  if (sample !== null) return { kind: "sample", bytes: sample };
  const arrived = await bytesOf(partOf(folder, task));
  return arrived === null ? { kind: "nothing", bytes: 0 } : { kind: "incomplete", bytes: arrived };
}

function hereText({ kind, bytes }: Holding): string {
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  if (kind === "nothing") return "–";
  return kind === "file" ? size : `${size} (${kind})`;
}

function toJson({ task, here }: { task: D4rlTask; here: Holding }) {
  return {
    task: task.name,
    here: here.kind,
    bytes: here.bytes,
    paper_scores: task.paperScores,
    beta: task.beta,
    address: addressOf(task, null),
    sha256: knownFileOf(task).sha256,
  };
}
