import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import {
  BridgeError,
  type BridgeFault,
  connectEnvironment,
} from "../../../lib/envs/bridge/client.ts";
import { encodeWelcome } from "../../../lib/envs/bridge/protocol.ts";
import { serveBridge } from "../../../lib/envs/bridge/server.ts";
import { UserError } from "../../../lib/errors.ts";
import { mayConnect } from "./raw_client.ts";
import { toySpec, toyWorld } from "./toy_batch.ts";

function clientTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !mayConnect, fn });
}

/** The fault that `promise` rejects with, its message matching. */
async function fault(
  promise: Promise<unknown>,
  expected: BridgeFault,
  message: RegExp,
): Promise<BridgeError> {
  const error = await promise.then(() => null, (error) => error);
  assertInstanceOf(error, BridgeError);
  assertInstanceOf(error, UserError);
  assertEquals(error.fault, expected, error.message);
  assertMatch(error.message, message);
  assertMatch(error.message, /^environment server ws:\/\/127\.0\.0\.1:\d+/);
  assertEquals(error.message.includes("token="), /token=…/.test(error.message), error.message);
  return error;
}

/** A server that answers its nth message with the nth answer, then with none. */
function scripted(...answers: (string | ArrayBuffer | ((message: ArrayBuffer) => ArrayBuffer))[]) {
  const sockets: WebSocket[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    sockets.push(socket);
    let next = 0;
    socket.onmessage = ({ data }) => {
      const answer = answers[next++];
      if (answer !== undefined) socket.send(typeof answer === "function" ? answer(data) : answer);
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/?token=secret`,
    sockets,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const welcome = encodeWelcome(toySpec, 1, { qpos: 2, qvel: 1 });
const changed = (fields: Record<string, unknown>) =>
  JSON.stringify({ ...JSON.parse(welcome), ...fields });

clientTest("connectEnvironment() returns the server's specification and values", async () => {
  const world = toyWorld();
  const server = await serveBridge({ makeEnvironment: world.make, versions: { server: "9" } });
  const batch = await connectEnvironment(server.url, "toy", 3);
  assertEquals(batch.spec, { ...toySpec, versions: { server: "9", toy: "1" } });
  assertEquals(batch.count, 3);
  assertEquals(await batch.reset([5, 6], [2, 0]), Float64Array.of(5, -5, 6, -6));
  assertEquals(
    await batch.resetTo(Float64Array.of(1, 2), Float64Array.of(3), [1]),
    Float64Array.of(1, 2),
  );
  assertEquals(await batch.step(Float64Array.of(1, 0, 0, 2), [2, 0]), {
    observations: Float64Array.of(6, -5, 6, -4),
    rewards: Float64Array.of(2.5, 0.5),
    terminated: Uint8Array.of(0, 0),
    truncated: Uint8Array.of(0, 0),
  });
  assertEquals(await batch.state([1]), {
    qpos: Float64Array.of(1, 2),
    qvel: Float64Array.of(0.25),
  });
  const many = await Promise.all([1, 2, 3].map((seed) => batch.reset([seed], [0])));
  assertEquals(many, [1, 2, 3].map((seed) => Float64Array.of(seed, -seed)));
  const stateless = await connectEnvironment(server.url, "stateless", 1);
  assertEquals(await stateless.state(), null);
  assertEquals(await stateless.resetTo(new Float64Array(2), new Float64Array(1)), null);
  await batch.close();
  await stateless.close();
  await server.close();
});

clientTest("connectEnvironment() reports what is wrong with an address", async () => {
  for (const url of ["127.0.0.1:80", "http://127.0.0.1", "", "wasm"]) {
    await assertRejects(() => connectEnvironment(url, "toy", 1), UserError, "must look like ws://");
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await fault(
    connectEnvironment(`ws://127.0.0.1:${port}/?token=secret`, "toy", 1),
    "unreachable",
    /check that it is running/,
  );
  const web = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("a web site"),
  );
  await fault(
    connectEnvironment(`ws://127.0.0.1:${web.addr.port}`, "toy", 1),
    "refused",
    /HTTP 200; is it an environment server/,
  );
  await web.shutdown();
});

clientTest("connectEnvironment() reports the reason for a server's refusal", async () => {
  const server = await serveBridge({ makeEnvironment: toyWorld().make });
  const { origin } = new URL(server.url.replace("ws:", "http:"));
  const address = origin.replace("http:", "ws:");
  await fault(
    connectEnvironment(address, "toy", 1),
    "refused",
    /full address that the server printed/,
  );
  await fault(
    connectEnvironment(`${address}/?token=guess`, "toy", 1),
    "refused",
    /token is missing or wrong/,
  );
  const unknown = await fault(
    connectEnvironment(server.url, "tok", 1),
    "refused",
    /no toy is called "tok"/,
  );
  assertEquals(unknown.code, "environment");
  assertEquals(
    (await fault(connectEnvironment(server.url, "toy", 1e6), "refused", /1000000/)).code,
    "limit",
  );
  await server.close();
});

clientTest(
  "EnvironmentBatch.step() over the bridge names the environment whose action is NaN",
  async () => {
    const server = await serveBridge({ makeEnvironment: toyWorld().make });
    const batch = await connectEnvironment(server.url, "toy", 3);
    await batch.reset([1, 2, 3]);
    const refused = await fault(
      batch.step(Float64Array.of(0, 0, 0, 0, NaN, 0)),
      "rejected",
      /environment 2 has NaN in entry 0/,
    );
    assertEquals([refused.code, refused.environment], ["not-finite", 2]);
    // No state has changed, and the batch is still usable.
    assertEquals((await batch.step(new Float64Array(6))).observations.at(-1), -3);
    await assertRejects(() => batch.step(new Float64Array(5)), Error, "6 entries, got 5");
    await assertRejects(() => batch.reset([1, 2]), Error, "3 entries, got 2");
    await batch.close();
    await server.close();
  },
);

clientTest(
  "connectEnvironment(): every call after the server stops throws the same clear error",
  async () => {
    const world = toyWorld();
    const server = await serveBridge({ makeEnvironment: world.make });
    const batch = await connectEnvironment(server.url, "toy", 1);
    await batch.reset([1]);
    const stepping = world.hold();
    const pending = batch.step(new Float64Array(2));
    await stepping;
    const closing = server.close();
    const first = await fault(
      pending,
      "lost",
      /the server stops; the episodes in progress are lost/,
    );
    for (const again of [batch.step(new Float64Array(2)), batch.reset([1]), batch.state()]) {
      assertEquals(await again.catch((error) => error), first);
    }
    world.release();
    await closing;
    await batch.close();
  },
);

clientTest("connectEnvironment() can be called again to repeat a lost episode", async () => {
  const world = toyWorld();
  const first = await serveBridge({ makeEnvironment: world.make });
  const lost = await connectEnvironment(first.url, "toy", 1);
  const observations = await lost.reset([8]);
  await first.close();
  await fault(lost.step(new Float64Array(2)), "lost", /connect again/);
  const second = await serveBridge({ makeEnvironment: world.make });
  const batch = await connectEnvironment(second.url, "toy", 1);
  assertEquals(await batch.reset([8]), observations);
  await batch.close();
  await second.close();
});

clientTest("connectEnvironment() reports a timeout at each stage of a slow server", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await fault(
    connectEnvironment(`ws://127.0.0.1:${port}/?token=secret`, "toy", 1, { connectTimeout: 30 }),
    "timeout",
    /did not open a connection within 0.03 s/,
  );
  await using mute = scripted();
  // The connection must open in this time even on a busy machine.
  await fault(
    connectEnvironment(mute.url, "toy", 1, { connectTimeout: 2000 }),
    "timeout",
    /did not answer within 2 s/,
  );
  await using slow = scripted(welcome);
  const batch = await connectEnvironment(slow.url, "toy", 1, {
    connectTimeout: 5000,
    requestTimeout: 30,
  });
  const [first, second] = [batch.reset([1]), batch.state()];
  await fault(first, "timeout", /did not answer within 0.03 s; check whether it is busy or stuck/);
  await fault(second, "timeout", /did not answer/);
});

for (
  const [what, answer, message] of [
    ["no JSON", "hello there", /expected JSON/],
    ["a binary welcome", new ArrayBuffer(16), /its welcome is a binary message/],
    ["another type", changed({ type: "hi" }), /type must be "welcome"/],
    ["another version", changed({ protocol: 2 }), /uses version 2 .* this program uses version 1/],
    ["another environment", changed({ environment: "hopper" }), /the client requested 1 × toy/],
    ["another count", changed({ count: 2 }), /the server created 2 × toy/],
    ["no observations", changed({ observationSize: 0 }), /observationSize must be a positive/],
    ["actions of half a number", changed({ actionSize: 1.5 }), /actionSize must be a positive/],
    ["too few bounds", changed({ actionLow: [-1] }), /actionLow must have 2 numbers/],
    ["bounds of text", changed({ actionHigh: ["1", "1"] }), /actionHigh must have 2 numbers/],
    ["no step limit", changed({ maxEpisodeSteps: undefined }), /maxEpisodeSteps must be/],
    ["half a reference", changed({ referenceReturn: { min: 1 } }), /referenceReturn must be/],
    ["half a state", changed({ stateSize: { qpos: 1 } }), /stateSize must be/],
    ["versions of numbers", changed({ versions: { a: 1 } }), /versions must be/],
    [
      "an unknown error",
      JSON.stringify({ type: "error", code: "tired", message: "", request: null }),
      /unknown code "tired"/,
    ],
  ] as const
) {
  clientTest(`connectEnvironment() refuses a server that answers with ${what}`, async () => {
    await using server = scripted(answer);
    await fault(connectEnvironment(server.url, "toy", 1), "protocol", message);
  });
}

clientTest(
  "connectEnvironment(): the batch closes the connection if an answer does not match the request",
  async () => {
    const resized = (size: number) => (message: ArrayBuffer) => {
      const frame = new Uint8Array(size);
      frame.set(new Uint8Array(message, 0, 16));
      frame[0]! |= 0x80;
      return frame.buffer;
    };
    const error = (request: number) =>
      JSON.stringify({ type: "error", code: "malformed", message: "", request, environment: null });
    for (
      const [answer, message] of [
        [resized(31), /the answer to reset must have 32 bytes, got 31/],
        [new ArrayBuffer(32), /kind, id and count must be 129,1,1, got 0,0,0/],
        [welcome, /its answer to reset is not an answer to that request/],
        [error(77), /its answer to reset is not an answer to that request/],
      ] as const
    ) {
      await using server = scripted(welcome, answer);
      const batch = await connectEnvironment(server.url, "toy", 1);
      const first = await fault(batch.reset([1]), "protocol", message);
      assertEquals(await batch.reset([1]).catch((error) => error), first);
    }
    await using chatty = scripted(welcome);
    const batch = await connectEnvironment(chatty.url, "toy", 1);
    chatty.sockets[0]!.send("by the way");
    await fault(batch.reset([1]), "protocol", /without a request|not an answer to|expected JSON/);
  },
);
