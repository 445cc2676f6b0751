/**
 * Opens environments on the server that the user chooses: the built-in one, the Python one, or a
 * running one.
 *
 * @module
 */
import { UserError } from "../../errors.ts";
import type { EnvironmentBatch } from "../environment.ts";
import { environments } from "../ids.ts";
import type { Profile } from "../mujoco/mjcf.ts";
import { BridgeError, connectEnvironment } from "./client.ts";
import { gymnasiumCoverage, gymnasiumId, whyNotInGymnasium } from "./gymnasium_ids.ts";
import { launchServer, type ServerKind } from "./launch.ts";

/**
 * Largest step request, in bytes, that Deno's WebSocket sends in one write. For longer requests it
 * writes the header first. The rest then waits 40 ms for the server's acknowledgement (Nagle's
 * algorithm combined with delayed acknowledgement), twenty times as long as the step itself.
 */
const undelayedBytes = 1024;

/** Returns how many environments can be stepped in one request without that delay. */
export function mostUndelayed(actionSize: number): number {
  // A request has a header of 16 bytes, then an action and an index for each environment.
  return Math.max(1, Math.floor((undelayedBytes - 16) / (8 * actionSize + 4)));
}

/** Which server to use. */
export interface ServerChoice {
  /** `wasm`, `python`, or the address of a running server. */
  readonly server: string;
  /** Token of a running server, if its address does not include it. */
  readonly token?: string | undefined;
  /** Physics of the built-in server. */
  readonly profile?: Profile | undefined;
}

/** Open environments. */
export interface OpenEnvironment {
  /** The environments. */
  readonly environment: EnvironmentBatch;
  /**
   * A sentence that says which environments replace the requested ones; null if none were replaced.
   */
  readonly note: string | null;
  /** Closes the environments, and stops their server if it was started for them. */
  close(): Promise<void>;
}

/** A running server. */
export interface OpenServer {
  /** Its address, including the token. */
  readonly url: string;
  /** Stops the server if `openServer` started it. */
  close(): Promise<void>;
}

/**
 * Starts the chosen server, or uses the running one.
 *
 * @throws {UserError} If the options are invalid or the server cannot be started.
 */
export async function openServer({ server, token, profile }: ServerChoice): Promise<OpenServer> {
  if (server !== "wasm" && profile !== undefined) {
    throw new UserError(
      `--profile chooses the physics of the built-in server, not of --server ${server}`,
    );
  }
  if (server !== "wasm" && server !== "python") {
    const url = URL.parse(server);
    if (url === null || !/^wss?:$/.test(url.protocol)) {
      throw new UserError(
        `--server needs wasm, python or an address such as ws://127.0.0.1:8765, got "${server}"`,
      );
    }
    if (token !== undefined) url.searchParams.set("token", token);
    return { url: url.href, close: () => Promise.resolve() };
  }
  if (token !== undefined) {
    throw new UserError("--token needs a running server: --server ws://…");
  }
  const kind: ServerKind = server === "python"
    ? { kind: "python" }
    : { kind: "wasm", ...(profile === undefined ? {} : { profile }) };
  return await launchServer(kind);
}

/**
 * Connects to environments of a server that {@linkcode openServer} returned. On the Python server,
 * this project's environments are replaced by their Gymnasium equivalents.
 *
 * @throws {UserError} If the server does not have the environment or cannot be reached.
 */
export async function connectTo(
  { server }: Pick<ServerChoice, "server">,
  url: string,
  id: string,
  count: number,
): Promise<Pick<OpenEnvironment, "environment" | "note">> {
  try {
    return { environment: await connectEnvironment(url, id, count), note: null };
  } catch (error) {
    const isUnknown = error instanceof BridgeError && error.code === "environment";
    if (!isUnknown || server !== "python" || !environments.has(id)) throw error;
    const other = gymnasiumId(id);
    if (other === null) {
      throw new UserError(
        `the Python server has no ${id}: ${
          whyNotInGymnasium(id)
        }. Of this project's environments ` +
          `it has ${gymnasiumCoverage}; omit --server to use the built-in ones`,
      );
    }
    const environment = await connectEnvironment(url, other, count);
    const note =
      `${other} replaces ${id}: it has the same observations, actions and rewards, but is ` +
      `computed by MuJoCo ${
        environment.spec.versions["mujoco"]
      }, whose contacts differ from those ` +
      "behind D4RL's scores";
    return { environment, note };
  }
}

/**
 * Starts the chosen server or uses the running one, and connects to it.
 *
 * @param id Environment id that the server knows; the Python server also accepts built-in ids that
 * have a Gymnasium equivalent.
 * @throws {UserError} See {@linkcode openServer} and {@linkcode connectTo}.
 */
export async function openEnvironment(
  choice: ServerChoice,
  id: string,
  count: number,
): Promise<OpenEnvironment> {
  const server = await openServer(choice);
  try {
    const { environment, note } = await connectTo(choice, server.url, id, count);
    const close = async () => {
      await environment.close();
      await server.close();
    };
    return { environment, note, close };
  } catch (error) {
    await server.close();
    throw error;
  }
}
