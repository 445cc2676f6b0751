import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** What a {@linkcode Listener} does with what comes in. */
export interface ListenerOptions {
  /** Address to listen on. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** Milliseconds that a client may take until its request is complete. */
  readonly timeout: number;
  /** TCP connections at a time at most. */
  readonly mostSockets: number;
  /** Answers a plain request; the answer must close the connection. */
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  /** Takes a request for an upgrade, and with it the socket. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** File descriptors that are kept for what the process itself opens. */
const reservedDescriptors = 32;

/** Milliseconds between two attempts to listen again. */
const listenAgain = 100;

/**
 * An HTTP server that listens on. Once the process has no file descriptor left for a new connection,
 * which strangers can bring about, Deno's listeners accept nothing ever again. So this one stops
 * listening before it comes to that, and begins again on the same port when connections have gone.
 */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #most: number;
  /** Open sockets, with the timers of those that have not been upgraded. */
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
   * Starts to listen.
   *
   * @throws {Error} It cannot; the message says why (EADDRINUSE and the like).
   */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    await listener.#listen();
    return listener;
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#address;
  }

  /** Stops listening and destroys every socket that is left. */
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
    console.error(`no new connections for now: ${this.#most} are open`);
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
        // Another program has taken the port, or the descriptors: it may give them back.
      }
      this.#listenAgain();
    }, listenAgain);
  }
}

/** File descriptors that the process can still open, counted no further than needed. */
function freeDescriptors(mostSockets: number): number {
  const wanted = mostSockets + reservedDescriptors;
  if (Deno.build.os === "windows") return wanted; // has no such limit
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < wanted) files.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return wanted;
    // None are left: that is the number in question.
  } finally {
    for (const file of files) file.close();
  }
  return files.length;
}
