/**
 * Fields with which a job names its tensors.
 *
 * @module
 */
import type { Tensor } from "../tensor.ts";

/** Returns the job fields of a tensor: its place and, as `<name>_stride`, its row stride. */
export function rowFields(
  name: string,
  tensor: Tensor,
  job: number,
  jobs: number,
): Record<string, number> {
  return { [name]: tensor.at(job, jobs), [`${name}_stride`]: tensor.stride };
}

/**
 * Returns the job fields of a tensor with one number per row and head: the place of the first head
 * and, as `<name>_head`, the distance between heads.
 */
export function headFields(
  name: string,
  tensor: Tensor,
  job: number,
  jobs: number,
): Record<string, number> {
  const first = job * (tensor.replicas / jobs);
  return {
    [name]: tensor.columnAt(first, tensor.replicas),
    [`${name}_head`]: tensor.storage.replicaSize / 4,
  };
}
