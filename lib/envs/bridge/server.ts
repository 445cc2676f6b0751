/**
 * Server of the environment bridge: a WebSocket server, on loopback by default, that holds
 * environments for its clients. It checks origin, token and number of connections before it
 * upgrades a connection. `session.ts` answers the messages.
 *
 * The WebSockets come from npm's `ws`. Deno's own accept messages of any size and cannot destroy
 * the socket of a client that does not close it.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { Listener } from "./listener.ts";
import { closeCodes, limits } from "./protocol.ts";
import { type EnvironmentBudget, type MakeEnvironment, Session } from "./session.ts";

/** A listening server. */
export interface BridgeServer {
  /** Address for clients, including the token: `ws://127.0.0.1:<port>/?token=…`. */
  readonly url: string;
  /** Returns the current numbers of connections and environments. */
  held(): { readonly connections: number; readonly environments: number };
  /** Closes all connections and their environments, and stops listening. */
  close(): Promise<void>;
}

/** Options of a server. */
export interface ServeOptions {
  /** Creates the environments that clients request. */
  readonly makeEnvironment: MakeEnvironment;
  /** Versions to add to the environment's versions in the welcome. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Address to listen on. Default: loopback. */
  readonly host?: string;
  /** Port to listen on. Default: any free port. */
  readonly port?: number;
  /** Milliseconds until a client must send its hello. Default: `limits.helloTimeout`. */
  readonly helloTimeout?: number;
}

/**
 * Starts a server with a new random token.
 *
 * Before the upgrade it refuses an Origin other than the server's own (403), a missing or wrong
 * token (401), a connection beyond the limit (503) and a plain HTTP request (426).
 *
 * @throws {Error} If it cannot listen; the message gives the reason, such as EADDRINUSE.
 */
export async function serveBridge(options: ServeOptions): Promise<BridgeServer> {
  const token = crypto.getRandomValues(new Uint8Array(24)).toHex();
  const budget: EnvironmentBudget = { used: 0 };
  const connections = new Set<Connection>();
  const { versions = {}, helloTimeout = limits.helloTimeout } = options;
  let ownOrigin = "";

  /** Returns why a request may not connect; null if it may. */
  const refusal = ({ headers, url }: IncomingMessage): [status: number, reason: string] | null => {
    if (headers.origin !== undefined && headers.origin !== ownOrigin) {
      return [403, "a web page of another origin may not connect\n"];
    }
    const query = new URLSearchParams(url?.split("?", 2)[1]);
    if (!equal(query.get("token") ?? "", token)) {
      return [401, "the address must end in the server's ?token=…\n"];
    }
    if (connections.size >= limits.connections) {
      return [503, `${limits.connections} connections are open\n`];
    }
    return null;
  };

  // Reads environment variables when it is loaded.
  const { WebSocketServer } = await import("ws");
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.requestBytes,
    maxFragments: limits.fragments,
    verifyClient: ({ req }, settle) => {
      const refused = refusal(req);
      if (refused === null) settle(true);
      else settle(false, ...refused);
    },
  });
  const listener = await Listener.open({
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0,
    timeout: helloTimeout,
    mostSockets: limits.sockets,
    request: (request, response) => {
      const [status, reason] = refusal(request) ?? [426, "connect with a WebSocket\n"];
      response.writeHead(status, { connection: "close" }).end(reason);
    },
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) => {
        const session = new Session(options.makeEnvironment, budget, versions);
        const connection = new Connection(client, session, helloTimeout);
        connections.add(connection);
        connection.gone.then(() => connections.delete(connection));
      }),
  });
  const { address, port } = listener.address;
  const authority = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  ownOrigin = `http://${authority}`;
  return {
    url: `ws://${authority}/?token=${token}`,
    held: () => ({ connections: connections.size, environments: budget.used }),
    close: async () => {
      const open = [...connections];
      for (const connection of open) connection.end(closeCodes.goingAway, "the server stops");
      await Promise.all(open.map(({ gone }) => gone));
      await listener.close();
    },
  };
}

/**
 * One client's connection. Answers its messages in order, one answer each, and enforces the limits.
 */
class Connection {
  readonly #socket: WebSocket;
  readonly #session: Session;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  readonly #heartbeat: ReturnType<typeof setInterval>;
  readonly #left = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #turn: Promise<void> = Promise.resolve();
  #unanswered = 0;
  #alive = true;
  #ended = false;

  /** Resolves when the client's environments and its socket are closed. */
  readonly gone: Promise<unknown> = Promise.all([this.#closed.promise, this.#left.promise]);

  constructor(socket: WebSocket, session: Session, helloTimeout: number) {
    this.#socket = socket;
    this.#session = session;
    this.#helloTimer = setTimeout(
      () => this.end(closeCodes.violation, "no hello in time"),
      helloTimeout,
    );
    this.#heartbeat = setInterval(() => this.#beat(), limits.idleTimeout * 500);
    socket.binaryType = "arraybuffer";
    socket.on("message", (data, binary) => {
      this.#alive = true;
      this.#receive(binary ? data as ArrayBuffer : String(data));
    });
    socket.on("pong", () => this.#alive = true);
    // A message exceeded a limit or violated WebSocket's framing. ws has sent the close code but would
    // keep reading as fast as the client sends.
    socket.on("error", () => {
      this.end(closeCodes.violation, "broken connection");
      setTimeout(() => socket.pause());
    });
    socket.on("close", () => {
      this.end(closeCodes.normal, "");
      this.#closed.resolve();
    });
  }

  /**
   * Ends the connection. Closes its environments without waiting for the client, and destroys its
   * socket if the client does not close it in time.
   */
  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#helloTimer);
    clearInterval(this.#heartbeat);
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), limits.closeTimeout);
    this.#closed.promise.then(() => clearTimeout(timer));
    // Let a step in progress finish before its environments are closed.
    this.#left.resolve(
      this.#turn.then(() => this.#session.close()).catch((error) =>
        console.error("closing a client's environments failed:", error)
      ),
    );
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#ended) return;
    clearTimeout(this.#helloTimer); // Creating environments may take longer.
    if (++this.#unanswered > limits.unanswered) {
      return this.end(closeCodes.violation, `more than ${limits.unanswered} unanswered requests`);
    }
    this.#turn = this.#turn.then(() => this.#answer(data));
  }

  async #answer(data: string | ArrayBuffer): Promise<void> {
    if (this.#ended) return;
    const answer = await this.#session.answer(data);
    this.#unanswered--;
    if (this.#ended) return;
    // A client that sends requests without reading the answers would fill the memory.
    if (this.#socket.bufferedAmount > limits.answerBytes) {
      return this.end(closeCodes.violation, "answers are not read");
    }
    this.#socket.send(answer.data);
    if (!answer.goesOn) this.end(closeCodes.violation, "the hello was refused");
  }

  /** Ends the connection if the client has sent nothing since the last ping. */
  #beat(): void {
    if (!this.#alive) return this.end(closeCodes.violation, "no sign of life");
    this.#alive = false;
    this.#socket.ping();
  }
}

function equal(given: string, token: string): boolean {
  const [a, b] = [new TextEncoder().encode(given), new TextEncoder().encode(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
