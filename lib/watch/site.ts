/**
 * The files of the page of `watch`, which any static host can serve.
 *
 * @module
 */
import { constants, gzipSync } from "node:zlib";
import { mujocoBinary } from "../envs/mujoco/binary.ts";
import { browserBundle } from "../report/browser_bundle.ts";
import type { Packed } from "./collect.ts";
import { fileNames } from "./files.ts";
import { watchPage } from "./page.ts";

/** A file of the page. */
export interface SiteFile {
  /** Media type. */
  readonly type: string;
  /** Contents. */
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/**
 * Returns the files by name. The simulator is compressed, which takes a second: with 10 MB it is
 * most of the page, and not every host compresses.
 */
export async function siteFiles({ content, weights }: Packed): Promise<Map<string, SiteFile>> {
  const binary = await mujocoBinary();
  const script = await browserBundle(new URL("./client/main.ts", import.meta.url));
  return new Map<string, SiteFile>([
    ["index.html", { type: "text/html; charset=utf-8", body: watchPage(content) }],
    [fileNames.script, { type: "text/javascript; charset=utf-8", body: script }],
    [fileNames.content, { type: "application/json", body: JSON.stringify(content) }],
    [fileNames.weights, { type: "application/octet-stream", body: weights }],
    [fileNames.simulator, {
      type: "application/gzip",
      body: Uint8Array.from(gzipSync(binary, { level: constants.Z_BEST_COMPRESSION })),
    }],
  ]);
}
