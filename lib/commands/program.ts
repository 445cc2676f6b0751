/**
 * The command that starts this program again, for commands that start others of its commands.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const kinds = ["read", "write", "net", "env", "sys", "run", "ffi", "import"] as const;

/**
 * Returns the program and its first arguments, after which a command follows. The new process has
 * the permissions that this one has without limits; of those limited to some paths or names, none.
 */
export function programCommand(): { readonly program: string; readonly args: readonly string[] } {
  const program = Deno.execPath();
  if (Deno.build.standalone) return { program, args: [] };
  const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const granted = kinds.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  const permissions = granted.length === kinds.length
    ? ["--allow-all"]
    : granted.map((name) => `--allow-${name}`);
  const config = `--config=${local("../../deno.json")}`;
  return {
    program,
    args: ["run", "--no-prompt", ...permissions, config, local("../../cli.ts")],
  };
}
