/**
 * Tests that send signals to their process. Test files that run in parallel share one, in which a
 * signal would also stop commands that other tests run, and close their browsers.
 *
 * @module
 */
import { assert } from "@std/assert";
import { fileURLToPath } from "node:url";

/** Environment variable with the name of the test that a process runs. */
const variable = "TEST_IN_OWN_PROCESS";

/**
 * Returns a test's function that runs `fn` in a process of its own. It needs the permissions `run`
 * and `env`.
 *
 * @param url Address of the test's file.
 * @param name Name of the test.
 */
export function inOwnProcess(
  url: string,
  name: string,
  fn: () => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    if (Deno.env.get(variable) === name) return await fn();
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--filter", name, fileURLToPath(url)],
      cwd: new URL("../..", import.meta.url),
      env: { [variable]: name, NO_COLOR: "1" },
    }).output();
    const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    assert(success && output.includes("1 passed"), output);
  };
}
