import manifest from "../deno.json" with { type: "json" };

/** Version of this program, as `--version` prints it and a run's `config.json` records it. */
export const version: string = manifest.version;
