/**
 * All checks on an adapter, with every variant of the matrix products that is correct there.
 *
 * @module
 */
import { Engine } from "../autodiff/engine.ts";
import { type MatmulVariant, matmulVariants, type Target, targetOf } from "../gpu/target.ts";
import type { Check } from "./check.ts";
import { Session } from "./session.ts";
import { checks, measureAll, type Measurement, productChecks, unchecked } from "./table.ts";

/** A measurement, with the matrix product variant it was taken with. */
export type AdapterMeasurement = Measurement & { readonly products: Target["matmul"] };

/**
 * Measures all checks with the engine's products, then those of products with the other variants.
 *
 * @throws {Error} No check reaches an operation.
 */
export async function* measureAdapter(engine: Engine): AsyncGenerator<AdapterMeasurement> {
  const session = new Session(engine);
  yield* measured(session, checks);
  const missing = unchecked(session);
  if (missing.length > 0) throw new Error(`no check reaches ${missing.join(", ")}`);
  for (const variant of otherVariants(engine)) {
    using other = await Engine.open(targetOf(variant));
    yield* measured(new Session(other), productChecks);
  }
}

/** Returns the number of measurements of {@linkcode measureAdapter}. */
export function measurementsOf(engine: Engine): number {
  const cases = (chosen: readonly Check[]) =>
    chosen.reduce((sum, { cases }) => sum + cases.length, 0);
  return cases(checks) + otherVariants(engine).length * cases(productChecks);
}

/**
 * Returns the variants that other adapters use. `subgroups` is one of them only if the engine found
 * it to be correct.
 */
function otherVariants({ target, choice }: Engine): MatmulVariant[] {
  return matmulVariants.filter((variant) =>
    variant !== target.matmul && (variant !== "subgroups" || choice.rates?.subgroups)
  );
}

async function* measured(
  session: Session,
  chosen: readonly Check[],
): AsyncGenerator<AdapterMeasurement> {
  for await (const measurement of measureAll(session, chosen)) {
    yield { ...measurement, products: session.engine.target.matmul };
  }
}
