/**
 * Stores the measured rates of the matrix product variants between runs, in one JSON file in the
 * user's cache folder. It has one entry per adapter and version of the kernel and its tiles. It may be deleted at any
 * time.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { matmulSources } from "../autodiff/ops/linear.ts";
import type { Rates, VariantMemory, VariantRates } from "../autodiff/variants.ts";
import type { AdapterDescription } from "../gpu/device.ts";
import { forms, matmulVariants, shapeClasses, targetOf } from "../gpu/target.ts";

/** A file of measured rates. */
export class VariantFile implements VariantMemory {
  /**
   * Path of the file; null if the environment variables name no cache folder or are not readable.
   */
  readonly path: string | null;
  /** Why rates could not be stored, if they could not. */
  problem: string | undefined;

  /**
   * Creates the object. The file need not exist yet.
   *
   * @param path Path of the file. Defaults to the one in the user's cache folder.
   */
  constructor(path: string | null = defaultPath()) {
    this.path = path;
  }

  /** Returns the rates of an adapter, if they were measured with the current kernels. */
  recall(adapter: AdapterDescription): VariantRates | undefined {
    const rates = this.#entries()[keyOf(adapter)];
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
    if (this.path === null) {
      this.problem = "XDG_CACHE_HOME and HOME are empty or not readable";
      return;
    }
    const text = JSON.stringify({ ...this.#entries(), [keyOf(adapter)]: rates }, null, 2);
    const temporary = `${this.path}.${Deno.pid}.tmp`;
    if (!granted({ name: "write", path: temporary })) {
      this.problem = `no permission to write ${this.path}`;
      return;
    }
    try {
      Deno.mkdirSync(dirname(this.path), { recursive: true });
      Deno.writeTextFileSync(temporary, text);
      Deno.renameSync(temporary, this.path);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  /** Returns the contents of the file; empty if it is missing or not readable. */
  #entries(): Record<string, VariantRates> {
    if (this.path === null || !granted({ name: "read", path: this.path })) return {};
    try {
      const content: unknown = JSON.parse(Deno.readTextFileSync(this.path));
      return typeof content === "object" && content !== null
        ? content as Record<string, VariantRates>
        : {};
    } catch {
      // If the file is missing or invalid, the variants are measured and the file is written again.
      return {};
    }
  }
}

/** Returns what the rates depend on. The name of a software GPU says nothing about its processor. */
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

function defaultPath(): string | null {
  const home = variable("HOME");
  const cache = variable("XDG_CACHE_HOME") || (home && join(home, ".cache"));
  return cache ? join(cache, "srpo-webgpu", "matmul.json") : null;
}

/** Returns an environment variable; undefined without permission. */
function variable(name: string): string | undefined {
  return granted({ name: "env", variable: name }) ? Deno.env.get(name) : undefined;
}

function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
