/**
 * Advice on a graphics driver that costs speed.
 *
 * @module
 */
import type { AdapterDescription } from "./device.ts";

/**
 * Since this version Mesa's software driver loads an address that all lanes share once, and other
 * addresses by a gather. Before, every load of a kernel was a loop over the lanes.
 */
const fastMesa = 25;

/** Returns advice to install a newer software driver, in one line; null if none is needed. */
export function driverAdvice(
  { software, driverVersion }: Pick<AdapterDescription, "software" | "driverVersion">,
): string | null {
  const major = /^Mesa (\d+)\./.exec(driverVersion ?? "")?.[1];
  if (!software || major === undefined || Number(major) >= fastMesa) return null;
  return `${driverVersion} is a slow software driver: Mesa ${fastMesa} or newer is several times ` +
    "as fast on some processors, and `sh setup.sh --driver` installs the newest";
}
