/**
 * The worklist of a dispatch: the job and tile of every workgroup.
 *
 * @module
 */
import type { Job } from "./kernel.ts";

const workgroupsPerRow = 65535;

/**
 * Returns the worklist of a dispatch, pairs (job, tile), and its workgroups along x and y. The last
 * row of workgroups is padded with entries whose tile is past the end of the last job; kernels
 * ignore these, or compute the last job's result again.
 */
export function worklistOf(
  jobs: readonly Job[],
): { worklist: Uint32Array<ArrayBuffer>; x: number; y: number } {
  const entries = jobs.reduce((total, job) => total + job.tiles, 0);
  const x = Math.min(entries, workgroupsPerRow);
  const y = Math.ceil(entries / workgroupsPerRow);
  const worklist = new Uint32Array(2 * x * y);
  let entry = 0;
  jobs.forEach(({ tiles }, job) => {
    for (let tile = 0; tile < tiles; tile++) {
      worklist[entry++] = job;
      worklist[entry++] = tile;
    }
  });
  while (entry < worklist.length) {
    worklist[entry++] = jobs.length - 1;
    worklist[entry++] = jobs.at(-1)!.tiles;
  }
  return { worklist, x, y };
}
