/**
 * One attempt to download a file over HTTP into a partial file, from where the last attempt ended.
 *
 * A partial file `<path>` has a description `<path>.json` beside it: the address that it comes
 * from, and what identifies the server's version of the file. The rest of a file is requested with
 * `Range`, and appended only if the server has the same version.
 *
 * @module
 */
import { UserError } from "../errors.ts";

/** A failed attempt that is worth repeating. */
export class TransferError extends Error {
  /** Milliseconds that the server asked to wait; null if it did not. */
  readonly retryAfter: number | null;

  /** Creates an error with a message for the user. */
  constructor(message: string, retryAfter: number | null = null) {
    super(message);
    this.retryAfter = retryAfter;
  }
}

/** Options of {@linkcode transfer}. */
export interface TransferOptions {
  /** The partial file. */
  readonly path: string;
  /** Size of the file in bytes; null if unknown. */
  readonly bytes: number | null;
  /**
   * Whether the hash of the whole file is known, so that a part from another address may be
   * continued: if the two differ, the hash tells.
   */
  readonly hashKnown: boolean;
  /** Milliseconds without a byte after which the attempt is given up. */
  readonly stallMilliseconds: number;
  /** First bytes of every valid file. */
  readonly signature: Uint8Array;
  /** The format with that signature, for messages. */
  readonly format: string;
  /** Stops the transfer. The partial file stays. */
  readonly signal: AbortSignal;
  /** Called with the number of bytes received and the total size, or null if unknown. */
  readonly progress: (bytes: number, total: number | null) => void;
}

/** The description of a partial file. */
interface Description {
  /** The address that its bytes come from. */
  readonly url: string;
  /** The server's `ETag`; null if it sent none. */
  readonly etag: string | null;
  /** The server's `Last-Modified`; null if it sent none. */
  readonly modified: string | null;
}

/** Returns the number of bytes of a partial file; 0 if there is none. */
export async function partialBytes(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Removes a partial file and its description. */
export async function discardPartial(path: string): Promise<void> {
  for (const file of [path, `${path}.json`]) {
    await Deno.remove(file).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

/**
 * Downloads `url` into the partial file, which is complete when this returns.
 *
 * @throws {TransferError} If the connection failed, stalled or ended early, or the server is busy.
 * What has arrived stays in the partial file.
 * @throws {UserError} If the server refuses, or sends something other than the file.
 */
export async function transfer(url: string, options: TransferOptions): Promise<void> {
  const { path, signal, stallMilliseconds } = options;
  const stall = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => stall.abort(), stallMilliseconds);
  };
  alive();
  try {
    const start = await resumableBytes(url, options);
    const response = await fetch(url, {
      headers: await requestHeaders(path, url, start),
      signal: AbortSignal.any([signal, stall.signal]),
    });
    try {
      const total = await accept(url, response, start, options);
      if (total === "complete") return;
      await append(response, total, options, alive);
    } finally {
      await response.body?.cancel().catch(() => {});
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (stall.signal.aborted) {
      throw new TransferError(`no data for ${stallMilliseconds / 1000} s`);
    }
    // fetch and the body's reader throw a TypeError for every fault of the connection.
    if (error instanceof TypeError) throw new TransferError(reasonOf(error));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the innermost reason of a failed connection. */
function reasonOf(error: Error): string {
  if (error.cause instanceof Error) return reasonOf(error.cause);
  return error.message.replace(/^error sending request .*?: (client error \(\w+\): )?/, "");
}

/** Returns the bytes to continue after. Discards a part that cannot be continued. */
async function resumableBytes(
  url: string,
  { path, hashKnown }: TransferOptions,
): Promise<number> {
  const bytes = await partialBytes(path);
  if (bytes === 0) return 0;
  const described = await readDescription(path);
  if (described !== null && (described.url === url || hashKnown)) return bytes;
  await discardPartial(path);
  return 0;
}

async function readDescription(path: string): Promise<Description | null> {
  try {
    const { url, etag, modified } = JSON.parse(await Deno.readTextFile(`${path}.json`));
    return { url, etag, modified };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function requestHeaders(
  path: string,
  url: string,
  start: number,
): Promise<Record<string, string>> {
  // With a content encoding, lengths and ranges would count other bytes.
  const headers = { "accept-encoding": "identity" };
  if (start === 0) return headers;
  const described = await readDescription(path);
  // A weak tag does not promise equal bytes, so If-Range does not allow it.
  const strong = described?.etag?.startsWith('"') ? described.etag : described?.modified;
  return {
    ...headers,
    range: `bytes=${start}-`,
    ...(described?.url === url && strong && { "if-range": strong }),
  };
}

/**
 * Checks the response and makes the partial file ready for its body.
 *
 * @returns The size of the whole file, null if the server does not say, or "complete" if nothing
 * is missing.
 */
async function accept(
  url: string,
  response: Response,
  start: number,
  { path, bytes }: TransferOptions,
): Promise<number | null | "complete"> {
  const { status, headers } = response;
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  const rangeTotal = range?.[2] === undefined || range[2] === "*" ? null : Number(range[2]);
  if (status === 416 && start > 0) {
    if (rangeTotal === start && (bytes ?? start) === start) return "complete";
    await discardPartial(path);
    throw new TransferError("the server's file does not continue the part that is here");
  }
  if (status !== 200 && status !== 206) throw refusal(url, response);
  const described = await readDescription(path);
  const now: Description = {
    url,
    etag: headers.get("etag"),
    modified: headers.get("last-modified"),
  };
  const length = headers.get("content-length");
  const total = status === 206 ? rangeTotal : length === null ? null : Number(length);
  if (bytes !== null && total !== null && bytes !== total) {
    throw new UserError(`${url} has ${total} bytes, but the known file has ${bytes}; ${otherwise}`);
  }
  const continues = status === 206 && Number(range?.[1]) === start &&
    (described?.url !== url || described.etag === now.etag);
  if (status === 206 && !continues) {
    await discardPartial(path);
    throw new TransferError("the server did not continue the part that is here");
  }
  // The server ignores ranges, or has a new version: its answer starts at the first byte.
  if (status === 200) await Deno.writeFile(path, new Uint8Array());
  await Deno.writeTextFile(`${path}.json`, JSON.stringify(now));
  return total;
}

/** What a user can do if a server does not have the file. */
const otherwise = "name another source with --mirror (see `data get --help`)";

/** Returns the error for a status other than success. */
function refusal(url: string, { status, statusText, headers }: Response): Error {
  const text = `the server answered ${`${status} ${statusText}`.trim()}`;
  const busy = status === 408 || status === 425 || status === 429 || status >= 500;
  if (!busy) return new UserError(`${url}: ${text}; ${otherwise}`);
  const seconds = Number(headers.get("retry-after") ?? NaN);
  return new TransferError(text, Number.isFinite(seconds) ? 1000 * seconds : null);
}

/** Appends the body to the partial file. */
async function append(
  response: Response,
  total: number | null,
  { path, bytes, signature, format, progress }: TransferOptions,
  alive: () => void,
): Promise<void> {
  const { url } = response;
  using file = await Deno.open(path, { read: true, write: true });
  let done = await file.seek(0, Deno.SeekMode.End);
  const most = total ?? bytes ?? Infinity;
  let checked = false;
  for await (const chunk of response.body ?? []) {
    alive();
    for (let written = 0; written < chunk.length;) {
      written += await file.write(chunk.subarray(written));
    }
    done += chunk.length;
    if (!checked && done >= signature.length) {
      await checkSignature(url, file, signature, format, path);
      checked = true;
    }
    if (done > most) {
      await discardPartial(path);
      throw new UserError(`${url}: the server sent more than the file's ${most} bytes`);
    }
    progress(done, total);
  }
  await file.sync();
  if (done < (total ?? bytes ?? 0)) {
    throw new TransferError(`the connection ended after ${done} of ${total ?? bytes} bytes`);
  }
  if (done < signature.length) await checkSignature(url, file, signature, format, path);
}

/** Rejects a web page or another file in place of the data, as soon as it begins. */
async function checkSignature(
  url: string,
  file: Deno.FsFile,
  signature: Uint8Array,
  format: string,
  path: string,
): Promise<void> {
  const head = new Uint8Array(256);
  await file.seek(0, Deno.SeekMode.Start);
  const read = await file.read(head) ?? 0;
  await file.seek(0, Deno.SeekMode.End);
  if (signature.every((byte, i) => head[i] === byte)) return;
  await discardPartial(path);
  const text = new TextDecoder().decode(head.subarray(0, read)).trimStart();
  const found = /^<(!doctype|html|\?xml)/i.test(text) ? "a web page" : "another kind of file";
  throw new UserError(`${url}: the server sent ${found} instead of ${format}; ${otherwise}`);
}
