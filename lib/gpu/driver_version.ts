/**
 * The version of the graphics driver, which WebGPU does not report.
 *
 * @module
 */

/** Largest driver file, in bytes, that is searched for its version. */
const longestFile = 256 * 2 ** 20;

/**
 * Returns the version of the driver that this process uses, for example `Mesa 22.3.6`. NVIDIA's is
 * part of the library's file name, Mesa's is inside its libraries. Returns null except on Linux
 * with permission to read.
 *
 * @param driver The adapter's driver, or the name of its vendor.
 */
export function driverVersion(driver: string): string | null {
  if (Deno.build.os !== "linux") return null;
  try {
    const loaded = libraries(Deno.readTextFileSync("/proc/self/maps"));
    const nvidia = loaded.map((path) => /libGLX_nvidia\.so\.(\d+[\d.]+)$/.exec(path)?.[1])
      .find((version) => version !== undefined);
    // The loader opens the drivers of all cards. All Mesa drivers have the same version.
    if (nvidia !== undefined && driver.startsWith("NVIDIA")) return `NVIDIA ${nvidia}`;
    const mesa = loaded.find((path) => /\/libvulkan_(lvp|intel|radeon|nouveau)\.so/.test(path));
    return mesa === undefined ? null : mesaVersion(mesa);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.NotFound) {
      return null;
    }
    throw error;
  }
}

/** Returns the libraries in a process's memory map. */
function libraries(maps: string): string[] {
  return [
    ...new Set(maps.split("\n").flatMap((line) => /\s(\/.*\.so[\d.]*)$/.exec(line)?.[1] ?? [])),
  ];
}

function mesaVersion(path: string): string | null {
  if (Deno.statSync(path).size > longestFile) return null;
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  const version = /Mesa (\d+\.\d+\.\d+(?:-[\w.]+)?)/.exec(text)?.[1];
  return version === undefined ? null : `Mesa ${version}`;
}
