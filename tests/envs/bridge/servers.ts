/** The servers of the bridge, and whether they can be started here. */
import { existsSync } from "node:fs";
import { pythonPath, type ServerKind } from "../../../lib/envs/bridge/launch.ts";
import { mayLaunch } from "./raw_client.ts";

export const servers: { name: string; server: ServerKind; ignore: boolean }[] = [
  { name: "serve-env", server: { kind: "wasm", profile: "mj22" }, ignore: !mayLaunch },
  {
    name: "gym_server.py (needs `sh bridge/setup.sh`)",
    server: { kind: "python" },
    ignore: !mayLaunch || !existsSync(pythonPath),
  },
];
