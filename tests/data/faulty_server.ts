/**
 * A local HTTP server that answers byte by byte as a test says: it can stall, close a connection
 * early, and state any length.
 */

/** A request, with header names in lower case. */
export interface RawRequest {
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** What the server does after it has read a request. */
export interface Answer {
  /** For example `200 OK`. */
  readonly status: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | string;
  /** After the body: `close` (default) closes the connection, `stall` keeps it open in silence. */
  readonly then?: "close" | "stall";
}

/** A running server. */
export interface FaultyServer extends AsyncDisposable {
  /** Address without a path or a final slash. */
  readonly url: string;
  /** All requests so far. */
  readonly requests: readonly RawRequest[];
}

/** Starts a server on loopback. The n-th request gets `answer(request, n)`, n from 0. */
export function faultyServer(answer: (request: RawRequest, n: number) => Answer): FaultyServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: RawRequest[] = [];
  const open = new Set<Deno.Conn>();
  const served = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      await serve(connection).catch(() => {});
    }
  })();
  async function serve(connection: Deno.Conn) {
    const request = await readRequest(connection);
    const { status, headers = {}, body = "", then = "close" } = answer(request, requests.length);
    requests.push(request);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const head = new TextEncoder().encode(
      `HTTP/1.1 ${status}\r\nconnection: close\r\n${lines}\r\n`,
    );
    await writeAll(connection, head);
    await writeAll(connection, bytes);
    if (then === "stall") return;
    open.delete(connection);
    connection.close();
  }
  const { port } = listener.addr as Deno.NetAddr;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) connection.close();
      await served.catch(() => {});
    },
  };
}

async function readRequest(connection: Deno.Conn): Promise<RawRequest> {
  let text = "";
  const block = new Uint8Array(4096);
  while (!text.includes("\r\n\r\n")) {
    const read = await connection.read(block);
    if (read === null) throw new Error("the client closed the connection");
    text += new TextDecoder().decode(block.subarray(0, read));
  }
  const [first, ...lines] = text.split("\r\n");
  const headers = lines.filter((line) => line.includes(":")).map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { path: first!.split(" ")[1]!, headers: new Map(headers) };
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await connection.write(bytes.subarray(done));
  }
}
