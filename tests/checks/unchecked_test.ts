import { assertEquals, assertThrows } from "@std/assert";
import { Engine, portableTarget } from "../../lib/autodiff/engine.ts";
import { Graph } from "../../lib/autodiff/graph.ts";
import { operationNames, registerOperation } from "../../lib/autodiff/operations.ts";
import { exp } from "../../lib/autodiff/ops/entrywise.ts";
import { Session } from "../../lib/checks/session.ts";
import { unchecked } from "../../lib/checks/table.ts";

Deno.test("unchecked() returns the registered operations that no computation has used", async () => {
  using engine = await Engine.open(portableTarget);
  const session = new Session(engine);
  assertEquals(unchecked(session), operationNames());
  const graph = new Graph({ seeds: [0] });
  exp(graph, graph.input(2, 3));
  session.note(graph);
  const before = operationNames().filter((name) => name !== "exp");
  const added = registerOperation("an operation without a check");
  assertEquals(unchecked(session), [...before, added]);
});

Deno.test("registerOperation() rejects a name that is already registered", () => {
  assertThrows(() => registerOperation("exp"), Error, 'an operation "exp" is already registered');
});
