/**
 * The worker behind `evaluateInWorker`: answers the one message that it is sent.
 *
 * @module
 */
import { UserError } from "../errors.ts";
import { Mlp } from "../nn/host/mlp.ts";
import type { EvaluationAnswer, EvaluationRequest } from "./evaluate_in_worker.ts";
import { networkPolicy } from "./policies.ts";
import { makeEnvironment } from "./registry.ts";
import { rollout } from "./rollout.ts";

/** Environments that are stepped together; more would only take more memory. */
const batchSize = 32;

async function answer({ policy, task, seeds }: EvaluationRequest): Promise<EvaluationAnswer> {
  try {
    const network = new Mlp(policy, "net", "tanh");
    const environment = await makeEnvironment(task, Math.min(batchSize, seeds.length));
    try {
      return { episodes: await rollout(environment, networkPolicy(network), seeds) };
    } finally {
      await environment.close();
    }
  } catch (error) {
    const forPerson = error instanceof UserError;
    const message = forPerson ? error.message : String((error as Error).stack ?? error);
    return { error: { message, forPerson } };
  }
}

const scope = globalThis as unknown as {
  postMessage(message: EvaluationAnswer): void;
  onmessage: (event: MessageEvent<EvaluationRequest>) => void;
};
scope.onmessage = async ({ data }) => scope.postMessage(await answer(data));
