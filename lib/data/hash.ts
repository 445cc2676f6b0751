/**
 * The hash that identifies a data set.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { OfflineDataset } from "./offline_dataset.ts";

/**
 * Returns the SHA-256 of the training data (observations, actions, rewards, terminals, transitions
 * and their sizes) in hexadecimal. The hash does not depend on file names or compression.
 */
export function datasetHash(dataset: OfflineDataset): string {
  const { observations, actions, rewards, terminals, transitions } = dataset;
  const hash = createHash("sha256");
  hash.update(`${dataset.rows} ${dataset.observationSize} ${dataset.actionSize}`);
  for (const array of [observations, actions, rewards, terminals, transitions]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest("hex");
}
