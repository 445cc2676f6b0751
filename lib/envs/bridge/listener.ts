import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** Options of a {@linkcode Listener}. */
export interface ListenerOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; 0 chooses a free one. */
  readonly port: number;
  /** Milliseconds until a client's request must be complete. */
  readonly timeout: number;
  /** Maximum number of simultaneous TCP connections. */
  readonly mostSockets: number;
  /** Answers a plain HTTP request; the answer must close the connection. */
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  /** Handles an upgrade request and takes over its socket. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** File descriptors reserved for files that the process opens. */
const reservedDescriptors = 32;

/** Milliseconds between attempts to listen again. */
const listenAgain = 100;

/**
 * An HTTP server that survives running out of file descriptors. When a new connection finds no free
 * file descriptor, Deno's listeners stop accepting connections permanently, and any client can
 * cause this by opening many connections. This server stops listening before that happens and
 * listens again on the same port after connections have closed.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #most: number;
  /** Open sockets, with the timers that destroy those not upgraded in time. */
  readonly #sockets = new Map<Duplex, ReturnType<typeof setTimeout>>();
  #address: AddressInfo;
  #http: Server | null = null;
  #closed = false;

  private constructor(options: ListenerOptions) {
    const { mostSockets, host: address, port } = options;
    this.#options = options;
    this.#most = Math.min(mostSockets, freeDescriptors(mostSockets) - reservedDescriptors);
    this.#address = { address, port, family: "" };
  }

  /**
   * Starts listening.
   *
   * @throws {Error} If it cannot listen; the message gives the reason, such as EADDRINUSE.
   */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  /** The address it listens on. */
  get address(): AddressInfo {
    return this.#address;
  }

  /** Stops listening and destroys all open sockets. */
  async close(): Promise<void> {
    this.#closed = true;
    const stopped = new Promise((resolve) => this.#http?.close(resolve) ?? resolve(null));
    for (const socket of this.#sockets.keys()) socket.destroy();
    await stopped;
  }

  async #listen(): Promise<void> {
    const { request, upgrade } = this.#options;
    const http = createServer(request);
    http.on("upgrade", (request, socket, head) => {
      clearTimeout(this.#sockets.get(socket));
      upgrade(request, socket, head);
    });
    http.on("connection", (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      http.once("error", reject);
      http.listen(this.#address.port, this.#address.address, resolve);
    });
    this.#http = http;
    this.#address = http.address() as AddressInfo;
  }

  #accept(socket: Duplex): void {
    if (this.#sockets.size >= this.#most) return void socket.destroy();
    this.#sockets.set(socket, setTimeout(() => socket.destroy(), this.#options.timeout));
    socket.once("close", () => {
      clearTimeout(this.#sockets.get(socket));
      this.#sockets.delete(socket);
    });
    if (this.#sockets.size < this.#most || this.#http === null) return;
    console.error(`not accepting new connections: ${this.#most} are open`);
    this.#http.close();
    this.#http = null;
    this.#listenAgain();
  }

  #listenAgain(): void {
    setTimeout(async () => {
      if (this.#closed) return;
      try {
        if (this.#sockets.size < this.#most) {
          await this.#listen();
          return void (this.#closed && this.#http?.close());
        }
      } catch {
        // Another program holds the port or the descriptors. It may release them, so try again.
      }
      this.#listenAgain();
    }, listenAgain);
  }
}

/** Returns how many file descriptors the process can still open, counting only as far as needed. */
function freeDescriptors(mostSockets: number): number {
  const wanted = mostSockets + reservedDescriptors;
  if (Deno.build.os === "windows") return wanted; // Windows has no such limit
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < wanted) files.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return wanted;
    // No descriptor is free: the count is complete.
  } finally {
    for (const file of files) file.close();
  }
  return files.length;
}
