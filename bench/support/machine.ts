/**
 * Describes the machine of a measurement.
 *
 * @module
 */

import { vectorFeatures } from "../../lib/gpu/processor_features.ts";

/**
 * Returns the CPU with its vector features, cores, system and adapter in one line.
 *
 * @param adapter The adapter with the version of its driver.
 */
export async function machineLine(adapter: string): Promise<string> {
  const cores = navigator.hardwareConcurrency;
  return `${await processor()}, ${cores} ${cores === 1 ? "core" : "cores"}, ` +
    `${Deno.build.os}, load ${Deno.loadavg()[0]!.toFixed(1)}, Deno ${Deno.version.deno}; ` +
    `adapter ${adapter}`;
}

async function processor(): Promise<string> {
  if (Deno.build.os !== "linux") return Deno.build.arch;
  const info = await Deno.readTextFile("/proc/cpuinfo");
  return `${processorName(info)} [${vectorFeatures(info) ?? "unknown features"}]`;
}

function processorName(info: string): string {
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1];
  const model = field("model name") ?? Deno.build.arch;
  // Virtual machines may hide the name, but family and model still identify the generation.
  return /\d{3}/.test(model)
    ? model
    : `${model} (family ${field("cpu family")}, model ${field("model")})`;
}
