/**
 * What was measured of the matrix product's variants, kept between runs: one JSON file in the person's
 * cache folder, with an entry for each adapter and version of the kernels. It may be deleted at any
 * time.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { matmulSources } from "../autodiff/ops/linear.ts";
import type { VariantMemory, VariantRates } from "../autodiff/variants.ts";
import type { AdapterDescription } from "../gpu/device.ts";
import { matmulVariants } from "../gpu/target.ts";

/** A file of rates. */
export class VariantFile implements VariantMemory {
  /** The file; null where the environment names no cache folder or may not be read. */
  readonly path: string | null;
  /** Why what was measured could not be kept, if so. */
  problem: string | undefined;

  /**
   * A file that need not exist yet.
   *
   * @param path The file; by default the one in the person's cache folder.
   */
  constructor(path: string | null = defaultPath()) {
    this.path = path;
  }

  /** The rates of an adapter, if a run measured them with the present kernels. */
  recall(adapter: AdapterDescription): VariantRates | undefined {
    const rates = this.#entries()[keyOf(adapter)];
    const fits = matmulVariants.every((variant) => typeof rates?.[variant] === "number");
    return fits && Object.values(rates!).some((rate) => rate > 0) ? rates : undefined;
  }

  /** Adds an adapter's rates. Where they cannot be kept, {@link problem} says why. */
  keep(adapter: AdapterDescription, rates: VariantRates): void {
    if (this.path === null) {
      this.problem = "neither XDG_CACHE_HOME nor HOME may be read, or both are empty";
      return;
    }
    const text = JSON.stringify({ ...this.#entries(), [keyOf(adapter)]: rates }, null, 2);
    const temporary = `${this.path}.${Deno.pid}.tmp`;
    if (!granted({ name: "write", path: temporary })) {
      this.problem = `${this.path} may not be written`;
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

  /** What the file holds; nothing where there is none, or one that is not ours to read. */
  #entries(): Record<string, VariantRates> {
    if (this.path === null || !granted({ name: "read", path: this.path })) return {};
    try {
      const content: unknown = JSON.parse(Deno.readTextFileSync(this.path));
      return typeof content === "object" && content !== null
        ? content as Record<string, VariantRates>
        : {};
    } catch {
      // Missing or broken: the variants are measured again and the file is written anew.
      return {};
    }
  }
}

function keyOf({ name, driver, subgroups }: AdapterDescription): string {
  const kernels = createHash("sha256").update(matmulSources.join("")).digest("hex").slice(0, 12);
  return [name, driver, ...(subgroups ? ["subgroups"] : []), `kernels ${kernels}`].join(", ");
}

function defaultPath(): string | null {
  const variable = (name: string) =>
    granted({ name: "env", variable: name }) ? Deno.env.get(name) : undefined;
  const home = variable("HOME");
  const cache = variable("XDG_CACHE_HOME") || (home && join(home, ".cache"));
  return cache ? join(cache, "srpo-webgpu", "matmul.json") : null;
}

function granted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}
