/**
 * `serve-env`: serves the built-in environments over the bridge, for clients in other processes.
 *
 * @module
 */
import { limits, protocolVersion } from "../envs/bridge/protocol.ts";
import { type BridgeServer, serveBridge } from "../envs/bridge/server.ts";
import { makeEnvironment } from "../envs/registry.ts";
import { UserError } from "../errors.ts";
import { version } from "../version.ts";
import { choice, integer, parseFlags, text, toggle } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "serve-env",
  summary: "Serves the built-in MuJoCo environments over a WebSocket (docs/bridge.md).",
  positionals: [],
  flags: {
    host: text("Address to listen on; other machines can connect unless it is loopback", {
      valueName: "ADDRESS",
      fallback: "127.0.0.1",
    }),
    port: integer("Port to listen on; 0 picks a free port", { max: 65535, fallback: 0 }),
    profile: choice(
      "Physics: mjpy matches D4RL with mujoco-py, mj22 matches gym's -v4 environments",
      ["mjpy", "mj22"],
      { shown: "the one behind the environment's published results" },
    ),
    "exit-with-stdin": toggle("Stop when standard input ends, for use as a child process"),
  },
} as const;

/**
 * Runs the server until Ctrl-C, SIGTERM or, with `--exit-with-stdin`, the end of standard input. It
 * prints a single line to standard output: `{"url": "ws://…/?token=…", "protocol": 1}`.
 *
 * @throws {UserError} If a flag is invalid or the server cannot listen.
 */
export async function serveEnv(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { host, port, profile } = parsed.flags;
  const options = profile === undefined ? {} : { profile };

  let server: BridgeServer;
  try {
    server = await serveBridge({
      host,
      port,
      makeEnvironment: (id, count) => makeEnvironment(id, count, options),
      versions: { "srpo-webgpu": version, deno: Deno.version.deno },
    });
  } catch (error) {
    throw new UserError(
      `serve-env cannot listen on ${host}, port ${port} (${(error as Error).message}); ` +
        "choose another --host or --port",
    );
  }
  // Listen before printing the URL, because its reader may stop the server at once.
  const stopped = stopAsked(parsed.flags["exit-with-stdin"]);
  console.log(JSON.stringify({ url: server.url, protocol: protocolVersion }));
  console.error(
    `serving up to ${limits.environments} environments to clients that have the URL; ` +
      "press Ctrl-C to stop",
  );
  await stopped;
  await server.close();
}

/** Resolves on Ctrl-C, on SIGTERM and, if `stdin` is set, at the end of standard input. */
async function stopAsked(stdin: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const signals: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  for (const signal of signals) Deno.addSignalListener(signal, resolve);
  if (stdin) {
    Deno.stdin.readable.pipeTo(new WritableStream()).then(resolve, resolve);
  }
  await promise;
  for (const signal of signals) Deno.removeSignalListener(signal, resolve);
}
