/**
 * Imports MuJoCo's WebAssembly as part of the program, when it is first used. Deno reads the
 * modules of a program without permission. Entry points of processes and workers import this
 * module; the library does not, because such imports are not stable in Deno.
 *
 * @module
 */
import { takeBinaryFrom } from "./simulation.ts";

/** Returns MuJoCo's WebAssembly. */
export async function mujocoBinary(): Promise<Uint8Array<ArrayBuffer>> {
  const { default: bytes } = await import("@mujoco/mujoco/mujoco.wasm", {
    with: { type: "bytes" },
  });
  return bytes;
}

takeBinaryFrom(mujocoBinary);
