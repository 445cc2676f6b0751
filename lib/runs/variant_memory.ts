/**
 * Stores the measured rates of the matrix product variants between runs: one entry per adapter and
 * version of the kernel and its tiles.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { matmulSources } from "../autodiff/ops/linear.ts";
import type { Rates, VariantMemory, VariantRates } from "../autodiff/variants.ts";
import type { AdapterDescription } from "../gpu/device.ts";
import { cachePath, UserCacheFile, variable } from "./user_cache.ts";
import { forms, matmulVariants, shapeClasses, targetOf } from "../gpu/target.ts";

/** A file of measured rates. */
export class VariantFile extends UserCacheFile implements VariantMemory {
  /** @param path Path of the file. Defaults to the one in the user's cache folder. */
  constructor(path: string | null = cachePath("matmul.json")) {
    super(path);
  }

  /** Returns the rates of an adapter, if they were measured with the current kernels. */
  recall(adapter: AdapterDescription): VariantRates | undefined {
    const rates = this.entries()[keyOf(adapter)] as VariantRates | undefined;
    const fits = (found: unknown) =>
      found === null ||
      forms.every((form) =>
        shapeClasses.every((shape) =>
          typeof (found as Rates | undefined)?.[form]?.[shape] === "number"
        )
      );
    return rates?.registers && matmulVariants.every((variant) => fits(rates[variant]))
      ? rates
      : undefined;
  }

  /** Stores an adapter's rates. If that fails, {@link problem} says why. */
  keep(adapter: AdapterDescription, rates: VariantRates): void {
    this.store(keyOf(adapter), rates);
  }
}

/**
 * Returns what the rates depend on. The name of a software GPU says nothing about its processor.
 */
function keyOf(
  { name, driver, driverVersion, processor, subgroups }: AdapterDescription,
): string {
  const kernels = createHash("sha256").update(matmulSources.join(""))
    .update(JSON.stringify(matmulVariants.map(targetOf))).digest("hex").slice(0, 12);
  // A software GPU with fewer threads has other rates.
  const threads = variable("LP_NUM_THREADS");
  return [
    name,
    driver,
    ...(driverVersion ? [driverVersion] : []),
    ...(processor ? [`processor ${processor}`] : []),
    ...(subgroups ? ["subgroups"] : []),
    ...(threads ? [`${threads} threads`] : []),
    `kernels ${kernels}`,
  ].join(", ");
}
