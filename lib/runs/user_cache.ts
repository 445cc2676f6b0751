/**
 * Measurements of this machine that are kept between runs: JSON files in the user's cache folder
 * with one entry per key. They may be deleted at any time.
 *
 * @module
 */
import { dirname, join } from "node:path";

/** A JSON file in the user's cache folder. */
export class UserCacheFile {
  /**
   * Path of the file; null if the environment variables name no cache folder or are not readable.
   */
  readonly path: string | null;
  /** Why an entry could not be stored, if one could not. */
  problem: string | undefined;

  /**
   * Creates the object. The file need not exist yet.
   *
   * @param path Path of the file, for example `cachePath("matmul.json")`.
   */
  constructor(path: string | null) {
    this.path = path;
  }

  /** Returns the contents of the file; empty if it is missing, invalid or not readable. */
  entries(): Record<string, unknown> {
    if (this.path === null || !granted({ name: "read", path: this.path })) return {};
    try {
      const content: unknown = JSON.parse(Deno.readTextFileSync(this.path));
      return typeof content === "object" && content !== null
        ? content as Record<string, unknown>
        : {};
    } catch {
      // What is missing is measured, and the file is written again.
      return {};
    }
  }

  /**
   * Stores an entry, or removes it if `value` is undefined. If that fails, {@link problem} says
   * why.
   */
  store(key: string, value: unknown): void {
    if (this.path === null) {
      this.problem = "XDG_CACHE_HOME and HOME are empty or not readable";
      return;
    }
    const text = JSON.stringify({ ...this.entries(), [key]: value }, null, 2);
    // Process ids are not unique where threads or containers share a folder.
    const temporary = `${this.path}.${crypto.randomUUID()}.tmp`;
    if (!granted({ name: "write", path: temporary })) {
      this.problem = `no permission to write ${this.path}`;
      return;
    }
    try {
      Deno.mkdirSync(dirname(this.path), { recursive: true });
      Deno.writeTextFileSync(temporary, text);
      Deno.renameSync(temporary, this.path);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }
}

/** Returns the path of a file in the user's cache folder; null if that is unknown. */
export function cachePath(name: string): string | null {
  const home = variable("HOME");
  const cache = variable("XDG_CACHE_HOME") || (home && join(home, ".cache"));
  return cache ? join(cache, "srpo-webgpu", name) : null;
}

/** Returns an environment variable; undefined without permission. */
export function variable(name: string): string | undefined {
  return granted({ name: "env", variable: name }) ? Deno.env.get(name) : undefined;
}

function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
