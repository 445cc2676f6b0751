/** A client that sends whatever a test wants, and keeps what comes back in order. */
export class RawClient {
  readonly socket: WebSocket;
  readonly #inbox: (string | ArrayBuffer)[] = [];
  #waiting: (() => void) | null = null;
  #closed: CloseEvent | null = null;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#inbox.push(data);
      this.#waiting?.();
    };
    socket.onclose = (event) => {
      this.#closed = event;
      this.#waiting?.();
    };
    socket.onerror = () => {}; // a close follows
  }

  /** Resolves when the connection is open, or refused (then `closeCode` resolves at once). */
  static async connect(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const client = new RawClient(new WebSocket(url, { headers }));
    await new Promise((resolve) => {
      client.socket.addEventListener("open", resolve);
      client.socket.addEventListener("error", resolve);
    });
    return client;
  }

  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** The next message. Rejects when the connection closes instead. */
  async next(): Promise<string | ArrayBuffer> {
    while (this.#inbox.length === 0) {
      if (this.#closed) throw new Error(`closed with ${this.#closed.code}`);
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
    return this.#inbox.shift()!;
  }

  /** The next message, which must be JSON. */
  async nextJson(): Promise<Record<string, unknown>> {
    const message = await this.next();
    if (typeof message !== "string") throw new Error("expected text, got a binary message");
    return JSON.parse(message);
  }

  async ask(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string | ArrayBuffer> {
    this.send(data);
    return await this.next();
  }

  /** The code with which the connection ends. */
  async closeCode(): Promise<number> {
    while (this.#closed === null) {
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
    return this.#closed.code;
  }

  async close(): Promise<void> {
    if (this.socket.readyState <= WebSocket.OPEN) this.socket.close();
    await this.closeCode();
  }
}

/** A WebSocket by hand, which can vanish without a word. */
export class BareClient {
  readonly connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.connection = connection;
  }

  /** The request that asks for the upgrade. */
  static request(url: string): Uint8Array<ArrayBuffer> {
    const { host, search } = new URL(url);
    return new TextEncoder().encode(
      `GET /${search} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  }

  /** Resolves when the server has upgraded the connection. */
  static async connect(url: string): Promise<BareClient> {
    const { hostname, port } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(BareClient.request(url));
    const answer = new Uint8Array(1024);
    const length = await connection.read(answer);
    const text = new TextDecoder().decode(answer.subarray(0, length ?? 0));
    if (!text.includes(" 101 ")) throw new Error(`expected an upgrade, got ${text}`);
    return new BareClient(connection);
  }

  /** Sends bytes as they are, all of them. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.connection.write(bytes.subarray(sent));
    }
  }

  /** Sends a whole message of fewer than 65,536 bytes. */
  send(message: string | ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<void> {
    return typeof message === "string"
      ? this.write(frame(0x81, new TextEncoder().encode(message)))
      : this.write(frame(0x82, new Uint8Array(message)));
  }

  /** Sends `count` fragments of one binary message that does not end with them. */
  async sendFragments(count: number, bytes: number): Promise<void> {
    await this.write(frame(0x02, new Uint8Array(bytes)));
    for (let k = 1; k < count; k++) await this.write(frame(0x00, new Uint8Array(bytes)));
  }

  /** Sends a frame again and again, for half a minute. Rejects when the server hangs up. */
  async flood(kind: number, payload: Uint8Array): Promise<void> {
    const one = frame(kind, payload);
    const count = Math.ceil((1 << 16) / one.length);
    const many = new Uint8Array(count * one.length);
    for (let k = 0; k < count; k++) many.set(one, k * one.length);
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline) await this.write(many);
  }

  /**
   * Resolves when the server has closed the connection, with the code of its close frame if it sent
   * one.
   */
  async closed(): Promise<number | null> {
    const bytes = new Uint8Array(4);
    let code: number | null = null;
    try {
      for (let n = await this.connection.read(bytes); n !== null;) {
        if (n === 4 && bytes[0] === 0x88) code = bytes[2]! << 8 | bytes[3]!;
        n = await this.connection.read(bytes);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    return code;
  }
}

/** A frame with a mask of zeros, of fewer than 65,536 bytes. */
function frame(kind: number, payload: Uint8Array): Uint8Array {
  // Up to 125 bytes the length must be in one byte.
  const header = payload.length < 126
    ? [kind, 0x80 | payload.length, 0, 0, 0, 0]
    : [kind, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0];
  return Uint8Array.of(...header, ...payload);
}

/** Whether tests may talk over loopback; without, they are skipped by name. */
export const mayConnect: boolean =
  Deno.permissions.querySync({ name: "net", host: "127.0.0.1" }).state === "granted";

/** Whether tests may start servers in processes of their own. */
export const mayLaunch: boolean = mayConnect &&
  Deno.permissions.querySync({ name: "run" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

/** Resolves when `reached` is true; rejects after five seconds. */
export async function until(what: string, reached: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!reached()) {
    if (Date.now() > deadline) throw new Error(`waited five seconds for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
