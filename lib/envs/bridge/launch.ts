/**
 * Environment servers as child processes: started when a caller needs one, ended with it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { UserError } from "../../errors.ts";

/** Which server to start. */
export type ServerKind =
  /** This program's own `serve-env`; `profile` chooses the physics where the id should not. */
  | { readonly kind: "wasm"; readonly profile?: "mjpy" | "mj22" }
  /** `bridge/gym_server.py` in the virtual environment that `bridge/setup.sh` makes. */
  | { readonly kind: "python" };

/** A server in a process of its own. */
export interface LaunchedServer extends AsyncDisposable {
  /** Address for `connectEnvironment`, token included. */
  readonly url: string;
  /** Its process. */
  readonly pid: number;
  /** What it wrote to standard error, its last 4,000 characters. */
  stderr(): string;
  /** Ends the process; resolves when it has gone. */
  close(): Promise<void>;
}

/** Where `bridge/setup.sh` puts Python. */
export const pythonPath: string = fileURLToPath(
  new URL("../../../bridge/.venv/bin/python", import.meta.url),
);

/** Milliseconds that a server may take to announce itself; importing Python's packages is slow. */
const announceTimeout = 60_000;

/** Milliseconds that a server may take to stop by itself before it is killed. */
const stopTimeout = 3_000;

/**
 * Starts a server and waits for its announcement, the first line on its standard output. Whatever
 * happens to this process, the child ends: it stops when its standard input, held by this process,
 * does.
 *
 * @throws UserError where it cannot be started or announces nothing, with what it said of that.
 */
export async function launchServer(server: ServerKind): Promise<LaunchedServer> {
  const { program, args } = await commandOf(server);
  const child = new Deno.Command(program, {
    args: [...args, "--exit-with-stdin"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stdout = "";
  let stderr = "";
  const announced = Promise.withResolvers<void>();
  const heard = Promise.all([
    listen(child.stdout, (text) => {
      if (stdout.includes("\n")) return;
      stdout += text;
      if (stdout.includes("\n")) announced.resolve();
    }).then(announced.resolve),
    listen(child.stderr, (text) => {
      stderr = (stderr + text).slice(-4000);
    }),
  ]);

  const end = async (): Promise<void> => {
    const timer = setTimeout(() => kill(child), stopTimeout);
    await child.stdin.close().catch(() => {}); // already gone with its process
    await child.status;
    clearTimeout(timer);
    await heard;
  };
  let ended: Promise<void> | null = null;
  const close = (): Promise<void> => ended ??= end();

  const timer = setTimeout(() => kill(child), announceTimeout);
  await announced.promise;
  clearTimeout(timer);
  const url = announcedUrl(stdout);
  if (url === null) {
    await close();
    throw new UserError(
      `the ${server.kind} environment server did not start; it said: ` +
        `${stderr.trim() || stdout.trim() || "nothing"}`,
    );
  }
  return {
    url,
    pid: child.pid,
    stderr: () => stderr,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function commandOf(server: ServerKind): Promise<{ program: string; args: string[] }> {
  const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  if (server.kind === "wasm") {
    const args = [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      "--allow-read",
      "--allow-env",
      `--config=${local("../../../deno.json")}`,
      local("../../../cli.ts"),
      "serve-env",
    ];
    if (server.profile !== undefined) args.push("--profile", server.profile);
    return { program: Deno.execPath(), args };
  }
  try {
    await Deno.stat(pythonPath);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new UserError(
      `the Python environment server needs its packages, and there is no ${pythonPath}; ` +
        "install them with `sh bridge/setup.sh`",
    );
  }
  // -B: leave no compiled files beside the program.
  return { program: pythonPath, args: ["-B", local("../../../bridge/gym_server.py")] };
}

/** The address in a server's announcement; null where the text is none. */
function announcedUrl(text: string): string | null {
  try {
    const { url } = JSON.parse(text.split("\n", 1)[0]!);
    return typeof url === "string" ? url : null;
  } catch {
    return null;
  }
}

/** Hands a stream's text on until it ends. */
function listen(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  hear: (text: string) => void,
): Promise<void> {
  return stream.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write: hear }));
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended by itself meanwhile.
  }
}
