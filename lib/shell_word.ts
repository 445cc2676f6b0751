/**
 * Paths in commands that messages show, so that a user can copy them into a shell.
 *
 * @module
 */

/**
 * Returns a path as one word of a shell command: in quotes if it has spaces or other characters
 * that a shell reads.
 */
export function shellWord(path: string): string {
  const windows = Deno.build.os === "windows";
  if ((windows ? /^[\w@%+=:,./\\-]+$/ : /^[\w@%+=:,./-]+$/).test(path)) return path;
  return windows ? `"${path}"` : `'${path.replaceAll("'", `'\\''`)}'`;
}
