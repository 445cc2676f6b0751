/**
 * Environments from the server that a person names: the built-in one, the Python one, or any that runs.
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
 * Bytes of a step's request that Deno's WebSocket sends at once. Of a longer one it writes the header
 * first, and the rest then waits 40 ms for the server's system to acknowledge that (Nagle's algorithm
 * against delayed acknowledgement), twenty times as long as the step itself.
 */
const undelayedBytes = 1024;

/** Environments that can be stepped together without that delay. */
export function mostUndelayed(actionSize: number): number {
  // A request has a header of 16 bytes, and for each environment its action and its index.
  return Math.max(1, Math.floor((undelayedBytes - 16) / (8 * actionSize + 4)));
}

/** Which server. */
export interface ServerChoice {
  /** `wasm`, `python`, or the address of a running server. */
  readonly server: string;
  /** Token of a running server, where its address does not hold it. */
  readonly token?: string | undefined;
  /** Physics of the built-in server. */
  readonly profile?: Profile | undefined;
}

/** Environments, what they stand for, and how to give back what holds them. */
export interface OpenEnvironment {
  /** The environments. */
  readonly environment: EnvironmentBatch;
  /** What they are instead of those asked for, a sentence; null where they are those. */
  readonly note: string | null;
  /** Ends the environments, and their server where it was started for them. */
  close(): Promise<void>;
}

/** A server that answers. */
export interface OpenServer {
  /** Its address, token included. */
  readonly url: string;
  /** Ends it, where it was started by `openServer`. */
  close(): Promise<void>;
}

/**
 * Starts the server, or takes the one that runs.
 *
 * @throws {UserError} The choice is none, or the server cannot be started.
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
    throw new UserError("--token is for a server that runs already: --server ws://…");
  }
  const kind: ServerKind = server === "python"
    ? { kind: "python" }
    : { kind: "wasm", ...(profile === undefined ? {} : { profile }) };
  return await launchServer(kind);
}

/**
 * Connects to environments of a server that {@linkcode openServer} gave. On the Python server those of
 * this project go by Gymnasium's ids.
 *
 * @throws {UserError} The server does not have them, or cannot be reached.
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
          `it has ${gymnasiumCoverage}; leave out --server to use the built-in ones`,
      );
    }
    const environment = await connectEnvironment(url, other, count);
    const note = `${other} stands for ${id}: the same observations, actions and rewards, but ` +
      `computed by MuJoCo ${
        environment.spec.versions["mujoco"]
      }, whose contacts differ from those ` +
      "behind D4RL's scores";
    return { environment, note };
  }
}

/**
 * Starts the server or takes the one that runs, and connects to it.
 *
 * @param id Environment id that the server knows, or for the Python server a built-in one's.
 * @throws {UserError} As {@linkcode openServer} and {@linkcode connectTo}.
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
