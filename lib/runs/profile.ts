/**
 * Profiles of a run's stages: `profile-<stage>.txt` and, if dispatches can be timed,
 * `trace-<stage>.json` in the run directory.
 *
 * @module
 */
import { join } from "node:path";
import type { Engine } from "../autodiff/engine.ts";
import type { TrainingStep } from "../autodiff/training_step.ts";
import type { DispatchTime } from "../gpu/program.ts";
import { chromeTrace, type Profile, profileText } from "../report/profile.ts";
import { writeAtomic } from "./files.ts";

/** Number of times a step is replayed. The fastest replay counts. */
const rounds = 10;

/**
 * Profiles one step of a stage. The step is replayed, and its changes are undone.
 *
 * @param directory Folder for the files.
 * @param step Number of the step.
 * @returns The table and the paths of the files.
 * @throws {UserError} If a file cannot be written.
 */
export async function profileStage(
  engine: Engine,
  program: TrainingStep,
  stage: string,
  step: number,
  directory: string,
): Promise<{ text: string; files: string[] }> {
  const roofline = await engine.roofline();
  const { name, software } = engine.gpu.adapter;
  const profile: Profile = {
    stage,
    roofline,
    dispatches: await dispatchesOf(program, roofline === null ? null : step, !software),
  };
  const text = `${profileText(profile)}\n${name}${software ? ", a software GPU" : ""}; ` +
    `matrix products: ${engine.target.matmul}`;
  const files = [join(directory, `profile-${stage}.txt`)];
  await writeAtomic(files[0]!, `${text}\n`);
  if (roofline) {
    files.push(join(directory, `trace-${stage}.json`));
    await writeAtomic(files[1]!, chromeTrace(profile));
  }
  return { text, files };
}

/** Returns the dispatches of all programs of a step. If `step` is not null, they are timed. */
async function dispatchesOf(
  { programs }: TrainingStep,
  step: number | null,
  warm: boolean,
): Promise<Profile["dispatches"]> {
  if (step === null) return programs.flatMap(({ dispatches }) => dispatches);
  const timed: DispatchTime[] = [];
  let end = 0;
  for (const program of programs) {
    // A program begins where the previous one ends.
    const times = (await program.profile(step, rounds, warm))
      .map((time) => ({ ...time, start: time.start + end }));
    timed.push(...times);
    const last = times.at(-1);
    if (last) end = last.start + last.seconds;
  }
  return timed;
}
