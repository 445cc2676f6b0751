/**
 * Serves a page to browsers on this machine: on the loopback interface only, at an address that
 * contains a secret token.
 *
 * @module
 */

/** Time for open requests to end when the server closes, in milliseconds. */
const closeMilliseconds = 2000;

/** A server of one page and the files beside it. */
export class LoopbackServer implements AsyncDisposable {
  /** Address of the page, with the token. */
  readonly address: string;
  readonly #token: string;
  readonly #host: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  readonly #answer: (name: string) => Response | null | Promise<Response | null>;

  /**
   * Starts the server.
   *
   * @param answer Returns the response for a file name, made with {@linkcode respond}; null if
   * there is no such file. The name of the page is empty.
   * @param port Port; 0 selects a free one.
   * @throws {Deno.errors.AddrInUse} The port is in use.
   */
  constructor(
    answer: (name: string) => Response | null | Promise<Response | null>,
    port = 0,
  ) {
    this.#answer = answer;
    this.#token = crypto.getRandomValues(new Uint8Array(16)).toHex();
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, signal: this.#stop.signal, onListen: () => {} },
      (request) => this.#respond(request),
    );
    this.#host = `127.0.0.1:${this.#server.addr.port}`;
    this.address = `http://${this.#host}/${this.#token}/`;
  }

  /** Stops the server when open requests have ended, or after two seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const late = setTimeout(() => this.#stop.abort(), closeMilliseconds);
    await this.#server.shutdown();
    clearTimeout(late);
  }

  async #respond(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    // Another host name in the request means that another site's page made it (DNS rebinding).
    if (request.headers.get("host") !== this.#host || !pathname.startsWith(`/${this.#token}/`)) {
      return new Response("Not found. The address of the page contains a token.\n", {
        status: 404,
      });
    }
    return await this.#answer(pathname.slice(this.#token.length + 2)) ??
      new Response("Not found.\n", { status: 404 });
  }
}

/**
 * Returns a response that browsers neither cache nor show in a frame.
 *
 * @param scripts Sources of scripts that the content security policy allows.
 */
export function respond(type: string, body: BodyInit, scripts = "'self'"): Response {
  return new Response(body, {
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      "content-security-policy":
        `default-src 'none'; script-src ${scripts}; connect-src 'self'; img-src data:; ` +
        "style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  });
}
