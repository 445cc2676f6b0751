/**
 * Starts environment servers as child processes, which end with this process.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { UserError } from "../../errors.ts";

/** Which server to start. */
export type ServerKind =
  /** This program's `serve-env`; `profile` overrides the physics that the id implies. */
  | { readonly kind: "wasm"; readonly profile?: "mjpy" | "mj22" }
  /** `bridge/gym_server.py` in the virtual environment that `bridge/setup.sh` creates. */
  | { readonly kind: "python" };

/** A server in a child process. */
export interface LaunchedServer extends AsyncDisposable {
  /** Address for `connectEnvironment`, including the token. */
  readonly url: string;
  /** Process id. */
  readonly pid: number;
  /** Returns the last 4,000 characters of its standard error. */
  stderr(): string;
  /** Stops the process. Resolves when it has ended. */
  close(): Promise<void>;
}

/** Path of the Python interpreter that `bridge/setup.sh` installs. */
export const pythonPath: string = fileURLToPath(
  new URL(
    `../../../bridge/.venv/${Deno.build.os === "windows" ? "Scripts/python.exe" : "bin/python"}`,
    import.meta.url,
  ),
);

/** Host on which servers listen. */
const host = "127.0.0.1";

/** Environment variables that the WebSocket server's package reads. */
const serverVariables = ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"];

/** All permissions that `serve-env` needs, as flags. */
const serverFlags = [`--allow-net=${host}`, `--allow-env=${serverVariables.join(",")}`];

/** Milliseconds until a server must announce its address. Importing the Python packages is slow. */
const announceTimeout = 60_000;

/** Milliseconds that a server has to stop before it is killed. */
const stopTimeout = 3_000;

/**
 * Starts a server and waits for its announcement, the first line on its standard output. The child
 * stops when its standard input ends. This process holds that input, so the child never outlives
 * it.
 *
 * @throws {UserError} If the server cannot be started or announces no address. The message includes
 * the server's standard error.
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
    await child.stdin.close().catch(() => {}); // the process has already ended
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
      `the ${server.kind} environment server did not start; its output: ` +
        `${stderr.trim() || stdout.trim() || "none"}`,
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

/**
 * Checks that this process has the permissions to start a server and those that the server gets, so
 * that no server has more than this process.
 *
 * @throws {UserError} If one is missing. The message has the flags.
 */
function checkPermissions(program: string, serverHas: boolean): void {
  const needed: [flag: string, permissions: Deno.PermissionDescriptor[]][] = [
    [`--allow-run=${program}`, [{ name: "run", command: program }]],
    [serverFlags[0]!, [{ name: "net", host }]],
  ];
  if (serverHas) {
    const variables = serverVariables.map((variable) => ({ name: "env", variable }) as const);
    needed.push([serverFlags[1]!, variables]);
  }
  const missing = needed.filter(([, permissions]) =>
    permissions.some((each) => Deno.permissions.querySync(each).state !== "granted")
  );
  if (missing.length === 0) return;
  throw new UserError(
    "missing permission: the environment server runs as a process of its own; add " +
      `${missing.map(([flag]) => flag).join(" ")}, or -A to grant all permissions`,
  );
}

async function commandOf(server: ServerKind): Promise<{ program: string; args: string[] }> {
  const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  checkPermissions(
    server.kind === "wasm" ? Deno.execPath() : pythonPath,
    server.kind === "wasm",
  );
  if (server.kind === "wasm") {
    // An executable made by `deno task compile` has its own permissions and modules.
    const args = Deno.build.standalone ? ["serve-env"] : [
      "run",
      "--quiet",
      "--no-prompt",
      ...serverFlags,
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
      `the Python environment server is not installed: there is no ${pythonPath}; ` +
        "install it with `sh bridge/setup.sh`",
    );
  }
  // -B: write no compiled files next to the program.
  return { program: pythonPath, args: ["-B", local("../../../bridge/gym_server.py")] };
}

/** Returns the address in a server's announcement; null if the text is not an announcement. */
function announcedUrl(text: string): string | null {
  try {
    const { url } = JSON.parse(text.split("\n", 1)[0]!);
    return typeof url === "string" ? url : null;
  } catch {
    return null;
  }
}

/** Passes a stream's text to `hear` until the stream ends. */
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
    // The process has already ended.
  }
}
