import manifest from "../deno.json" with { type: "json" };

/** Program version, printed by `--version` and recorded in a run's `config.json`. */
export const version: string = manifest.version;
