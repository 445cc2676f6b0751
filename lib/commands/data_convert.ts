/**
 * `data convert`: writes a data set of Minari or OGBench in D4RL's format.
 *
 * @module
 */
import { basename, join } from "node:path";
import { readMinari } from "../data/minari.ts";
import { ogbenchTask, readOgbench } from "../data/ogbench.ts";
import { isZip } from "../data/deno_hdf5.ts";
import { episodeNames, namesIn, openHdf5 } from "../data/open_hdf5.ts";
import { type DatasetContents, writeDataset } from "../data/writer.ts";
import { UserError } from "../errors.ts";
import { checkNew, checkWritable } from "../files.ts";
import { version } from "../version.ts";
import { parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "data convert",
  summary:
    "Converts a data set of Minari (HDF5) or OGBench (.npz) to D4RL's format. Which one it is, is " +
    "read from the file's content. Converted data belong to no D4RL task and have no D4RL score.",
  positionals: [{
    name: "data",
    help:
      "Minari: main_data.hdf5 or its folder, with metadata.json beside it. OGBench: an .npz file",
  }],
  flags: {
    out: text("HDF5 file to write", { valueName: "FILE" }),
    overwrite: toggle("Replace the --out file if it exists"),
    variant: text(
      "OGBench only: the single-task variant whose rewards are computed, for example " +
        "antmaze-medium-navigate-singletask-task1-v0",
      { valueName: "NAME" },
    ),
  },
} as const;

/**
 * Converts a data set.
 *
 * @throws {UserError} If a flag is invalid or missing, or the data cannot be read or written.
 */
export async function dataConvert(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { out, overwrite, variant } = parsed.flags;
  if (out === undefined) {
    throw new UserError("data convert needs --out: the file to write, for example --out mine.hdf5");
  }
  await (overwrite ? checkWritable(out) : checkNew(out, "--overwrite"));
  const contents = await read(await fileOf(parsed.positionals[0]!), variant);
  await writeDataset(out, {
    ...contents,
    metadata: { ...contents.metadata, "srpo-webgpu": version },
  });
  const rows = contents.rewards.length;
  console.log(
    `wrote ${rows} rows (${contents.observationSize} observation and ${contents.actionSize} ` +
      `action entries) from ${contents.metadata?.origin} to ${out}`,
  );
}

/** Returns the file of a Minari folder, or the path itself. */
async function fileOf(path: string): Promise<string> {
  try {
    if (!(await Deno.stat(path)).isDirectory) return path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new UserError(`${path}: no such file`);
    throw new UserError(`cannot access ${path}: ${(error as Error).message}`);
  }
  return join(path, "main_data.hdf5");
}

async function read(path: string, variant: string | undefined): Promise<DatasetContents> {
  if (await isZip(path).catch(() => false)) {
    if (variant !== undefined) return await readOgbench(path, variant);
    const example = basename(path).replace(/(-val)?\.npz$/, "").replace(
      /-v0$/,
      "-singletask-task1-v0",
    );
    throw new UserError(
      `${path} holds no rewards; name the single-task variant that defines them, for example ` +
        `--variant ${canBe(example) ? example : "antmaze-medium-navigate-singletask-task1-v0"}`,
    );
  }
  const opened = await openHdf5(path);
  const names = namesIn(opened, opened.file);
  const episodes = episodeNames(names);
  opened.file.close();
  if (episodes.length === 0) {
    throw new UserError(
      names.includes("observations")
        ? `${path} is in D4RL's format already`
        : `${path}: neither a Minari data set (groups episode_0, episode_1, …) nor one of OGBench`,
    );
  }
  if (variant !== undefined) throw new UserError(`--variant applies to OGBench, not to ${path}`);
  return await readMinari(path);
}

function canBe(name: string): boolean {
  try {
    ogbenchTask(name);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
