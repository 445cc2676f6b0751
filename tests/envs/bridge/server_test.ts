import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import fc from "fast-check";
import { connectEnvironment } from "../../../lib/envs/bridge/client.ts";
import { encodeRequest } from "../../../lib/envs/bridge/frames.ts";
import { limits } from "../../../lib/envs/bridge/protocol.ts";
import { type BridgeServer, serveBridge } from "../../../lib/envs/bridge/server.ts";
import { malformedMessages } from "./malformed.ts";
import { BareClient, mayConnect, RawClient, until } from "./raw_client.ts";
import { type ToyWorld, toyWorld } from "./toy_batch.ts";

/** A server of toys; afterwards a good client is served, and nothing is left. */
function serverTest(
  name: string,
  run: (server: BridgeServer, world: ToyWorld) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !mayConnect,
    fn: async () => {
      const world = toyWorld();
      const server = await serveBridge({ makeEnvironment: world.make });
      try {
        await run(server, world);
        await until("connections and environments to go", () => {
          const { connections, environments } = server.held();
          return connections === 0 && environments === 0;
        });
        assertEquals(world.open, 0, "batches left open");
        await serves(server);
      } finally {
        world.release();
        await server.close();
      }
      assertEquals([server.held(), world.open], [{ connections: 0, environments: 0 }, 0]);
    },
  });
}

/** Fails where a well-behaved client is not served. */
async function serves(server: BridgeServer): Promise<void> {
  const batch = await connectEnvironment(server.url, "toy", 2, {
    connectTimeout: 5000,
    requestTimeout: 5000,
  });
  assertEquals(await batch.reset([3, 4]), Float64Array.of(3, -3, 4, -4));
  const { observations } = await batch.step(Float64Array.of(1, 1, 2, 2));
  assertEquals(observations, Float64Array.of(4, -2, 6, -2));
  await batch.close();
}

const shape = {
  count: 3,
  observationSize: 2,
  actionSize: 2,
  stateSize: { qpos: 2, qvel: 1 },
} as const;
const hello = { type: "hello", protocol: 1, environment: "toy", count: shape.count };

const malformed = malformedMessages(shape, hello);

serverTest(
  "serveBridge() answers each of 10,000 malformed requests once and stays usable",
  async ({ url, held }, world) => {
    const client = await RawClient.connect(url);
    await client.ask(JSON.stringify(hello));
    const codes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(malformed, async (message) => {
        const answer = await client.ask(message);
        const code = typeof answer === "string" ? JSON.parse(answer).code : "result";
        codes.set(code, (codes.get(code) ?? 0) + 1);
        assertEquals(held(), { connections: 1, environments: shape.count });
      }),
      { numRuns: 12_000, seed: 1 },
    );
    // Some are right by chance; and the generator reaches every check, or it would prove little.
    assertGreaterOrEqual(12_000 - codes.get("result")!, 10_000);
    for (const code of ["malformed", "not-finite", "finished", "result"]) {
      assertGreater(codes.get(code) ?? 0, 50, code);
    }
    assertEquals(world.open, 1);
    await client.close();
  },
);

serverTest(
  "serveBridge() answers 1,000 malformed first messages and closes with 1008",
  async ({ url }) => {
    await fc.assert(
      fc.asyncProperty(malformed, async (message) => {
        const client = await RawClient.connect(url);
        const answer = JSON.parse(await client.ask(message) as string);
        if (answer.type === "welcome") return await client.close();
        assertEquals(answer.type, "error");
        assertEquals(await client.closeCode(), 1008);
      }),
      { numRuns: 1000, seed: 2 },
    );
  },
);

serverTest(
  "serveBridge() survives partial messages and invalid WebSocket framing",
  async (server) => {
    const { hostname, port } = new URL(server.url);
    const address = { hostname, port: Number(port) };
    const upgrade = BareClient.request(server.url);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.nat({ max: upgrade.length }),
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        async (upgraded, kept, garbage) => {
          if (upgraded) {
            using connection = (await BareClient.connect(server.url)).connection;
            await connection.write(garbage);
          } else {
            using connection = await Deno.connect(address);
            await connection.write(upgrade.subarray(0, kept));
            await connection.write(garbage);
          }
        },
      ),
      { numRuns: 300, seed: 3 },
    );
    // A frame that announces 40 bytes and brings 3, from a client that stays.
    using half = (await BareClient.connect(server.url)).connection;
    await half.write(Uint8Array.of(0x82, 0xa8, 1, 2, 3, 4, 5, 6, 7));
    await serves(server);
  },
);

serverTest(
  "serveBridge() serves its client while 1,000 others connect, and new clients afterwards",
  async (server) => {
    const { hostname, port } = new URL(server.url);
    const batch = await connectEnvironment(server.url, "toy", 2);
    await batch.reset([1, 2]);
    const silent = await Promise.all(
      Array.from({ length: 500 }, () => Deno.connect({ hostname, port: Number(port) })),
    );
    await Promise.all(silent.map((socket) => socket.write(new TextEncoder().encode("GET /?tok"))));
    const clients = await Promise.all(
      Array.from({ length: 500 }, () => RawClient.connect(server.url)),
    );
    const open = clients.filter(({ socket }) => socket.readyState === WebSocket.OPEN);
    assertEquals(open.length, limits.connections - 1);
    assertEquals(server.held(), { connections: limits.connections, environments: 2 });
    const { rewards } = await batch.step(new Float64Array(4));
    assertEquals(rewards, Float64Array.of(0.5, 1.5));
    for (const socket of silent) socket.close();
    await Promise.all(clients.map((client) => client.close()));
    await batch.step(new Float64Array(4));
    await batch.close();
  },
);

serverTest(
  "serveBridge() counts silent clients until it destroys their sockets, within the time limit",
  async () => {
    // Long enough to open all of them on a busy machine.
    const server = await serveBridge({ makeEnvironment: toyWorld().make, helloTimeout: 5000 });
    const silent: BareClient[] = [];
    while (silent.length < limits.connections) silent.push(await BareClient.connect(server.url));
    const refused = async () => (await RawClient.connect(server.url)).socket.readyState;
    assertEquals(await refused(), WebSocket.CLOSED);
    // Past the timer they are told to close, and do not: the last one still counts.
    await silent.at(-1)!.connection.read(new Uint8Array(64));
    assertGreater(server.held().connections, 0);
    await Promise.all(silent.map((client) => client.closed()));
    await until("the silent clients to go", () => server.held().connections === 0);
    await serves(server);
    for (const { connection } of silent) connection.close();
    await server.close();
  },
);

serverTest(
  "serveBridge() closes a connection that has sent only part of its hello in time",
  async () => {
    const server = await serveBridge({ makeEnvironment: toyWorld().make, helloTimeout: 1000 });
    using client = (await BareClient.connect(server.url)).connection;
    await client.write(Uint8Array.of(0x02, 0x81, 0, 0, 0, 0, 7));
    const answer = new Uint8Array(4);
    await client.read(answer);
    assertEquals([answer[0], answer[2]! << 8 | answer[3]!], [0x88, 1008]);
    await until("the client to go", () => server.held().connections === 0);
    await server.close();
  },
);

serverTest(
  "serveBridge() closes the environments of a client that disconnects during a step",
  async (server, world) => {
    const stepping = world.hold();
    const client = await BareClient.connect(server.url);
    const frame = (body: Parameters<typeof encodeRequest>[0]) =>
      encodeRequest(body, { ...shape, count: 1 });
    await client.send(JSON.stringify({ ...hello, count: 1 }));
    await client.send(frame({ kind: "reset", id: 1, indices: [0], seeds: [1] }));
    await client.send(frame({ kind: "step", id: 2, indices: [0], actions: new Float64Array(2) }));
    await stepping;
    assertEquals(server.held(), { connections: 1, environments: 1 });
    client.connection.close();
    // Another client is served meanwhile, and the step comes to its end before its environment goes.
    world.beforeStep = () => Promise.resolve();
    await serves(server);
    await until("the other client's toys to go", () => world.open === 1);
    world.release();
  },
);

serverTest(
  "serveBridge() closes a connection that exceeds the limit of unanswered requests",
  async ({ url }, world) => {
    world.hold();
    const client = await RawClient.connect(url);
    await client.ask(JSON.stringify(hello));
    await client.ask(encodeRequest({ kind: "reset", id: 0, indices: [0], seeds: [1] }, shape));
    const step = encodeRequest(
      { kind: "step", id: 1, indices: [0], actions: new Float64Array(2) },
      shape,
    );
    for (let k = 0; k <= limits.unanswered; k++) client.send(step);
    assertEquals(await client.closeCode(), 1008);
    world.release();
  },
);

serverTest(
  "serveBridge() limits the environments over all connections",
  async ({ url, held }) => {
    const full = await Promise.all([1, 2].map(() => connectEnvironment(url, "toy", limits.batch)));
    assertEquals(held().environments, limits.environments);
    const refused = await RawClient.connect(url);
    assertEquals(JSON.parse(await refused.ask(JSON.stringify(hello)) as string).code, "limit");
    await refused.closeCode();
    await Promise.all(full.map((batch) => batch.close()));
  },
);

serverTest(
  "serveBridge() refuses state requests for an environment without state",
  async ({ url }) => {
    const client = await RawClient.connect(url);
    const welcome = await client.ask(JSON.stringify({ ...hello, environment: "stateless" }));
    assertEquals(JSON.parse(welcome as string).stateSize, null);
    const frame = encodeRequest({ kind: "state", id: 4, indices: [0] }, shape);
    const { code, request } = JSON.parse(await client.ask(frame) as string);
    assertEquals([code, request], ["unsupported", 4]);
    await client.close();
  },
);

serverTest(
  "serveBridge() reports an environment that fails and ends its episode",
  async ({ url }, world) => {
    const batch = await connectEnvironment(url, "toy", 2);
    await batch.reset([1, 2]);
    world.beforeStep = () => Promise.reject(new Error("the joint came off"));
    const failure = await batch.step(new Float64Array(2), [1]).catch((error) => error);
    assertEquals([failure.fault, failure.code], ["rejected", "simulation"]);
    assert(failure.message.endsWith("the joint came off"));
    world.beforeStep = () => Promise.resolve();
    const over = await batch.step(new Float64Array(4)).catch((error) => error);
    assertEquals([over.code, over.environment], ["finished", 1]);
    await batch.step(new Float64Array(2), [0]);
    await batch.close();
  },
);

serverTest("serveBridge() creates a different token for each server", async ({ url }) => {
  const other = await serveBridge({ makeEnvironment: toyWorld().make });
  const token = (address: string) => new URL(address).searchParams.get("token")!;
  assertEquals(token(url).length, 48);
  assert(token(url) !== token(other.url));
  const stranger = new URL(other.url);
  stranger.searchParams.set("token", token(url));
  const refused = await RawClient.connect(stranger.href);
  assertEquals(refused.socket.readyState, WebSocket.CLOSED);
  await other.close();
});
