/**
 * The server end of the environment bridge: a WebSocket server on loopback that holds environments
 * for its clients. Who may connect is settled before a connection is upgraded (origin, token, number
 * of connections); what they send is `session.ts`.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";
import { closeCodes, limits } from "./protocol.ts";
import { type EnvironmentBudget, type MakeEnvironment, Session } from "./session.ts";

/** A server that is listening. */
export interface BridgeServer {
  /** Address for clients, token included: `ws://127.0.0.1:<port>/?token=…`. */
  readonly url: string;
  /** What it holds at this moment. */
  held(): { readonly connections: number; readonly environments: number };
  /** Closes every connection and its environments, and stops listening. */
  close(): Promise<void>;
}

/** What a server needs to know. */
export interface ServeOptions {
  /** Makes the environments that clients ask for. */
  readonly makeEnvironment: MakeEnvironment;
  /** Versions of the server, which join those of the environment in its welcome. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Address to listen on; loopback where absent. */
  readonly host?: string;
  /** Port to listen on; any free one where absent. */
  readonly port?: number;
}

/**
 * Starts a server with a random token of its own.
 *
 * Refused before the upgrade: an Origin that is not the server's own (403), a missing or wrong token
 * (401), a connection beyond the limit (503), a plain HTTP request (426).
 *
 * @throws Deno.errors.AddrInUse and the like where it cannot listen.
 */
export function serveBridge(options: ServeOptions): BridgeServer {
  const token = crypto.getRandomValues(new Uint8Array(24)).toHex();
  const budget: EnvironmentBudget = { used: 0 };
  const connections = new Set<Connection>();
  const versions = options.versions ?? {};

  const answer = (request: Request): Response => {
    const origin = request.headers.get("origin");
    if (origin !== null && origin !== ownOrigin) {
      return new Response("a web page of another origin may not connect\n", { status: 403 });
    }
    if (!equal(new URL(request.url).searchParams.get("token") ?? "", token)) {
      return new Response("the address must end in the server's ?token=…\n", { status: 401 });
    }
    if (connections.size >= limits.connections) {
      return new Response(`${limits.connections} connections are open\n`, { status: 503 });
    }
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return new Response("connect with a WebSocket\n", { status: 426 });
    }
    const { socket, response } = Deno.upgradeWebSocket(request, {
      idleTimeout: limits.idleTimeout,
    });
    const connection = new Connection(
      socket,
      new Session(options.makeEnvironment, budget, versions),
    );
    connections.add(connection);
    connection.gone.then(() => connections.delete(connection));
    return response;
  };

  const listener = new Listener(options.host ?? "127.0.0.1", options.port ?? 0, answer);
  const { hostname, port } = listener.address;
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const ownOrigin = `http://${authority}`;
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

/** Milliseconds between two attempts to listen again. */
const listenAgain = 100;

/**
 * An HTTP server that listens on. Deno's ends for good when it cannot accept a connection because the
 * process has no file descriptor left, which strangers can bring about; what is open lives on, so this
 * one begins again on the same port when there are descriptors again.
 */
class Listener {
  readonly address: Deno.NetAddr;
  readonly #answer: (request: Request) => Response;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #closed = false;

  constructor(hostname: string, port: number, answer: (request: Request) => Response) {
    this.#answer = answer;
    this.#server = this.#listen(hostname, port);
    this.address = this.#server.addr;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // One that has broken down has nothing left to shut down.
    await this.#server.shutdown().catch(() => {});
  }

  #listen(hostname: string, port: number): Deno.HttpServer<Deno.NetAddr> {
    const server = Deno.serve({
      hostname,
      port,
      onListen() {},
      onError: () => new Response("the request was not understood\n", { status: 400 }),
    }, this.#answer);
    server.finished.catch((error) => {
      console.error(`no new connections for now: ${error.message}`);
      this.#listenAgain();
    });
    return server;
  }

  #listenAgain(): void {
    setTimeout(() => {
      if (this.#closed) return;
      try {
        this.#server = this.#listen(this.address.hostname, this.address.port);
      } catch {
        this.#listenAgain();
      }
    }, listenAgain);
  }
}

/** One client's socket: messages in order, one answer each, within the limits. */
class Connection {
  readonly #socket: WebSocket;
  readonly #session: Session;
  readonly #helloTimer: ReturnType<typeof setTimeout>;
  readonly #left = Promise.withResolvers<void>();
  #turn: Promise<void> = Promise.resolve();
  #unanswered = 0;
  #ended = false;

  /** Resolves when the client is gone and its environments are closed. */
  readonly gone: Promise<void> = this.#left.promise;

  constructor(socket: WebSocket, session: Session) {
    this.#socket = socket;
    this.#session = session;
    this.#helloTimer = setTimeout(
      () => this.end(closeCodes.violation, "no hello in time"),
      limits.helloTimeout,
    );
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#receive(data);
    // A client that vanishes is an error first, then a close; half a message counts as vanishing.
    socket.onerror = () => this.end(closeCodes.violation, "broken connection");
    socket.onclose = () => this.end(closeCodes.normal, "");
  }

  /** Ends the connection. The environments are closed at once, without waiting for the client. */
  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#helloTimer);
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, reason);
    // A step in progress ends before its environments go.
    this.#left.resolve(
      this.#turn.then(() => this.#session.close()).catch((error) =>
        console.error("closing a client's environments failed:", error)
      ),
    );
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#ended) return;
    // A text of n UTF-16 units has n bytes at least.
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > limits.requestBytes) {
      return this.end(closeCodes.tooBig, `messages have at most ${limits.requestBytes} bytes`);
    }
    if (++this.#unanswered > limits.unanswered) {
      return this.end(closeCodes.violation, `more than ${limits.unanswered} unanswered requests`);
    }
    this.#turn = this.#turn.then(() => this.#answer(data));
  }

  async #answer(data: string | ArrayBuffer): Promise<void> {
    if (this.#ended) return;
    const answer = await this.#session.answer(data);
    this.#unanswered--;
    clearTimeout(this.#helloTimer);
    if (this.#ended || this.#socket.readyState !== WebSocket.OPEN) return;
    // A client that asks and does not read would fill the memory with answers.
    if (this.#socket.bufferedAmount > limits.answerBytes) {
      return this.end(closeCodes.violation, "answers are not read");
    }
    this.#socket.send(answer.data);
    if (!answer.goesOn) this.end(closeCodes.violation, "the hello was refused");
  }
}

function equal(given: string, token: string): boolean {
  const [a, b] = [new TextEncoder().encode(given), new TextEncoder().encode(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
