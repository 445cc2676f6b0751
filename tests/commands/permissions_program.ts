/**
 * Runs several commands in one process, for tests of its permissions. The argument is a JSON list
 * of command lines. Where a whole command would take long or write to the project's folder, its own
 * function is called with a smaller budget or another folder.
 */
import { commands } from "../../cli.ts";
import type { Command } from "../../lib/commands/dispatch.ts";
import { runCommandLine } from "../../lib/commands/dispatch.ts";

/** Ends the report of each command on standard error. */
const end = (code: number) => console.error(`exit code ${code}\0`);

const folder = Deno.args[1]!;
const smaller: Record<string, Command["load"]> = {
  "data get": async () => {
    const { dataGet } = await import("../../lib/commands/data_get.ts");
    return (args) => dataGet(args, { folder });
  },
  "data list": async () => {
    const { dataList } = await import("../../lib/commands/data_list.ts");
    return (args) => dataList(args, folder);
  },
  "bandit": async () => {
    const { budgets } = await import("../../lib/bandit/budget.ts");
    const network = { batch: 32, width: 8, blocks: 1, learningRate: 1e-3, steps: 2 };
    Object.assign(budgets.quick, {
      points: 600,
      behavior: network,
      policy: network,
      vae: { steps: 2, batch: 32 },
      grid: { half: 4.8, cells: 8 },
      solverSteps: 2,
      targets: 2,
      point: { steps: 2, draws: 2 },
    });
    return await commands["bandit"]!.load();
  },
  "gradcheck": async () => {
    const { checks } = await import("../../lib/checks/table.ts");
    const { measureAll } = await import("../../lib/checks/table.ts");
    const { Session } = await import("../../lib/checks/session.ts");
    const { Engine } = await import("../../lib/autodiff/engine.ts");
    return async () => {
      using engine = await Engine.open();
      for await (const { passed } of measureAll(new Session(engine), checks.slice(0, 1))) {
        if (!passed) return 1;
      }
    };
  },
};

const table = { ...commands };
for (const [name, load] of Object.entries(smaller)) table[name] = { ...table[name]!, load };
for (const args of JSON.parse(Deno.args[0]!) as string[][]) end(await runCommandLine(table, args));
