/**
 * `train --resume` of a finished run: prints its results and checks its files.
 *
 * @module
 */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { readCheckpoint } from "../runs/checkpoint.ts";
import { RunDirectory } from "../runs/directory.ts";
import { runId } from "../runs/identity.ts";
import { readMetrics } from "../runs/metrics.ts";
import { lostRows, readResults, type Results } from "../runs/results.ts";
import { shellWord } from "../shell_word.ts";
import { resultTables } from "./results_table.ts";
import type { TrainFlags } from "./train_flags.ts";

/**
 * Prints the results of a finished run.
 *
 * @returns False if the run is not finished; nothing is printed then.
 * @throws {UserError} A file of the run is damaged, or belongs to another run.
 */
export function showFinished(
  path: string,
  { json, "eval-episodes": episodes, "eval-every": every }: TrainFlags,
): boolean {
  const directory = new RunDirectory(path);
  const id = runId(directory.readConfig());
  const results = readResults(directory.results, id);
  if (!results?.finished) return false;
  console.log(`run      ${path} is already finished; its results are:\n`);
  console.log(resultTables(results));
  if (episodes !== undefined || every !== undefined) {
    console.log(
      "\nnote     --eval-episodes and --eval-every do not change a finished run. To evaluate it " +
        `again: deno run -A cli.ts eval ${shellWord(path)} --episodes ${episodes || 20}`,
    );
  }
  if (json) console.log(JSON.stringify({ run: path, ...results }));
  const damage = damageOf(directory, id, results);
  if (damage.length === 0) return true;
  throw new UserError(
    `${
      damage.join("\n")
    }\nTo train what is damaged again, delete ${directory.results} and repeat ` +
      "this command",
  );
}

/**
 * Returns a message for every damaged file. Missing checkpoints may have been deleted on purpose.
 */
function damageOf({ path, metrics }: RunDirectory, id: string, results: Results): string[] {
  const damage: string[] = [];
  const read = (body: () => unknown) => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      damage.push(error.message);
    }
  };
  const visit = (folder: string, depth: number): void => {
    for (const { name, isFile, isDirectory } of Deno.readDirSync(folder)) {
      const file = join(folder, name);
      // Previous checkpoints (`<stage>-<step>`) are only for runs that continue.
      if (isFile && /(?<!-\d+)\.safetensors$/.test(name)) read(() => readCheckpoint(file));
      else if (isDirectory && depth > 0) visit(file, depth - 1);
    }
  };
  visit(path, 2); // seed-<k>/checkpoints/ lies deepest.
  read(() => {
    const lost = lostRows(results, readMetrics(metrics, id));
    if (lost > 0) throw new UserError(`${metrics} lacks ${lost} of its rows`);
  });
  return damage;
}
