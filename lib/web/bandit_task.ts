/**
 * Computes Figure 3 in a worker.
 *
 * @module
 */
import { computeFigure3, type Figure3 } from "../bandit/figure3.ts";
import { figure3Panels } from "../bandit/figure3_panels.ts";
import type { BanditRequest } from "./messages.ts";
import { Pace, StepLog, type TaskContext } from "./task.ts";

/**
 * Computes the figure and reports its panels while they change.
 *
 * @returns The closing message; null if the task was stopped.
 */
export async function banditTask(
  { density, budget, seed }: BanditRequest,
  { engine, gate, post }: TaskContext,
): Promise<string | null> {
  const log = new StepLog(post);
  const pace = new Pace();
  const show = (figure: Figure3) => post({ kind: "panels", panels: figure3Panels(figure) });
  const figure = await computeFigure3(engine, density, budget, seed, {
    onStep: (part, step, steps, loss) =>
      log.add(part, step, steps, loss === undefined ? {} : { loss }),
    shouldStop: () => gate.stopped,
    between: async (look) => {
      log.flush();
      await pace.run(async () => show(await look()));
      await gate.pass();
    },
  });
  log.flush();
  if (figure === null) return null;
  show(figure);
  post({
    kind: "table",
    table: {
      header: ["1/β", "in support"],
      rows: figure.policies.map(({ inverseBeta, inSupport }) => [
        String(inverseBeta),
        inSupport.toFixed(3),
      ]),
    },
  });
  return "Finished.";
}
