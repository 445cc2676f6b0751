import { UserError } from "./lib/errors.ts";

/** The door for people: `deno run -A cli.ts <command>`. */
function main(args: readonly string[]): number {
  throw new UserError(`unknown command "${args[0] ?? ""}"`);
}

if (import.meta.main) {
  try {
    Deno.exit(main(Deno.args));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(error.exitCode);
  }
}
