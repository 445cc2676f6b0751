/**
 * One suite for every server of the bridge, over the wire alone: a server in another language is
 * checked by adding it to servers.ts.
 */
import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import fc from "fast-check";
import { connectEnvironment } from "../../../lib/envs/bridge/client.ts";
import { encodeRequest, type RequestBody } from "../../../lib/envs/bridge/frames.ts";
import { launchServer } from "../../../lib/envs/bridge/launch.ts";
import { limits } from "../../../lib/envs/bridge/protocol.ts";
import type { EnvironmentBatch } from "../../../lib/envs/environment.ts";
import { malformedMessages } from "./malformed.ts";
import { BareClient, RawClient } from "./raw_client.ts";
import { servers } from "./servers.ts";

/**
 * Fails where a server does not soon have `count` environments to give: it closes them in its time.
 */
async function eventuallyConnects(url: string, count: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return await (await connectEnvironment(url, "Hopper-v4", count)).close();
    } catch (error) {
      if (tries === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Memory of a process that is in RAM; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  if (Deno.build.os !== "linux") return 0;
  // Not by Deno itself, which reads /proc with every permission only.
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).outputSync();
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(new TextDecoder().decode(stdout))![1]);
}

const hopper = {
  count: 3,
  observationSize: 11,
  actionSize: 3,
  stateSize: { qpos: 6, qvel: 6 },
} as const;

function hello(fields: Record<string, unknown> = {}): string {
  return JSON.stringify({
    type: "hello",
    protocol: 1,
    environment: "Hopper-v4",
    count: hopper.count,
    ...fields,
  });
}

function frame(id: number, indices: readonly number[], body: RequestBody): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encodeRequest({ ...body, id, indices }, hopper));
}

/** A frame with some of its bytes replaced. */
function patched(bytes: Uint8Array<ArrayBuffer>, at: number, ...values: number[]) {
  bytes.set(values, at);
  return bytes;
}

const step = (id: number, indices: readonly number[], value = 0.1) =>
  frame(id, indices, { kind: "step", actions: new Float64Array(3 * indices.length).fill(value) });

for (const { name, server, ignore } of servers) {
  Deno.test({
    name: `bridge conformance: ${name}`,
    ignore,
    fn: async (t) => {
      await using running = await launchServer(server);
      const { url } = running;
      const silent = await BareClient.connect(url);
      using _ = silent.connection;
      const http = url.replace("ws:", "http:");

      await t.step("refuses connections that are not allowed with an HTTP status", async () => {
        const status = async (address: string, headers: Record<string, string> = {}) => {
          const upgrade = {
            connection: "Upgrade",
            upgrade: "websocket",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version": "13",
          };
          const response = await fetch(address, { headers: { ...upgrade, ...headers } });
          await response.body?.cancel();
          return response.status;
        };
        const without = new URL(http).origin + "/";
        assertEquals(await status(without), 401);
        assertEquals(await status(without + "?token=" + "0".repeat(48)), 401);
        assertEquals(await status(without + "?token=%F0%9F%92%A5"), 401);
        const plain = await fetch(http);
        await plain.body?.cancel();
        assertEquals(plain.status, 426);
        for (const origin of ["http://evil.example", "null", "http://127.0.0.1:1"]) {
          const refused = await RawClient.connect(url, { origin });
          assertEquals(refused.socket.readyState, WebSocket.CLOSED, origin);
        }
        const own = await RawClient.connect(url, { origin: new URL(http).origin });
        assertEquals(own.socket.readyState, WebSocket.OPEN);
        await own.close();
      });

      await t.step("welcomes a client with spaces, limits and versions", async () => {
        const client = await RawClient.connect(url);
        client.send(hello());
        const welcome = await client.nextJson();
        const { versions, referenceReturn, ...rest } = welcome;
        assertEquals(rest, {
          type: "welcome",
          protocol: 1,
          environment: "Hopper-v4",
          ...hopper,
          actionLow: [-1, -1, -1],
          actionHigh: [1, 1, 1],
          maxEpisodeSteps: 1000,
        });
        assert(
          referenceReturn === null || Object.keys(referenceReturn as object).join() === "min,max",
        );
        for (const version of Object.values(versions as object)) {
          assertEquals(typeof version, "string");
        }
        assertMatch((versions as { mujoco: string }).mujoco, /^\d+\.\d+\.\d+$/);
        await client.close();
      });

      await t.step("refuses an invalid hello and closes with 1008", async () => {
        const cases: [string | Uint8Array<ArrayBuffer>, string][] = [
          ["", "malformed"],
          ["{", "malformed"],
          ["[".repeat(100_000), "malformed"],
          ["[1]", "malformed"],
          ["null", "malformed"],
          [new Uint8Array(16), "malformed"],
          [JSON.stringify({ type: "goodbye" }), "malformed"],
          [hello({ protocol: 2, future: true }), "version"],
          [hello({ protocol: true }), "version"],
          [hello({ surplus: 1 }), "malformed"],
          [hello({ environment: 7 }), "malformed"],
          [hello({ environment: "os:Hopper-v4" }), "malformed"],
          [hello({ environment: "x".repeat(129) }), "malformed"],
          [hello({ environment: "Hopper-v4\n" }), "malformed"],
          [hello({ environment: "Hoper-v4" }), "environment"],
          [hello({ count: 0 }), "malformed"],
          [hello({ count: -1 }), "malformed"],
          [hello({ count: 1.5 }), "malformed"],
          [hello({ count: true }), "malformed"],
          [hello({ count: "3" }), "malformed"],
          [hello({ count: 1e300 }), "malformed"],
          [hello({ count: limits.batch + 1 }), "limit"],
        ];
        for (const [message, code] of cases) {
          const client = await RawClient.connect(url);
          client.send(message);
          const answer = await client.nextJson();
          assertEquals(
            { ...answer, message: typeof answer.message },
            { type: "error", request: null, code, message: "string", environment: null },
            String(message).slice(0, 80),
          );
          assertEquals(await client.closeCode(), 1008);
        }
      });

      await t.step(
        "refuses each invalid request with one error and keeps the connection open",
        async () => {
          const client = await RawClient.connect(url);
          await client.ask(hello());
          const seeds = (...values: number[]) => frame(9, [0, 1], { kind: "reset", seeds: values });
          const cases: [string | Uint8Array<ArrayBuffer>, string, number | null, number | null][] =
            [
              ["{}", "malformed", null, null],
              [hello(), "malformed", null, null],
              [new Uint8Array(0), "malformed", null, null],
              [new Uint8Array(15), "malformed", null, null],
              [new Uint8Array(16), "malformed", 0, null],
              [patched(step(9, [0]), 0, 0x82), "malformed", 9, null],
              [patched(step(9, [0]), 0, 99), "malformed", 9, null],
              [patched(step(9, [0]), 1, 1), "malformed", 9, null],
              [patched(step(9, [0]), 15, 1), "malformed", 9, null],
              [patched(step(9, [0]), 8, 0), "malformed", 9, null],
              [patched(step(9, [0]), 8, 255, 255, 255, 255), "malformed", 9, null],
              [step(9, [0]).slice(0, -1), "malformed", 9, null],
              [new Uint8Array([...step(9, [0]), 0]), "malformed", 9, null],
              [step(9, [3]), "malformed", 9, null],
              [step(9, [2 ** 32 - 1]), "malformed", 9, null],
              [step(9, [1, 1]), "malformed", 9, null],
              [seeds(1, 2 ** 53), "malformed", 9, null],
              [step(9, [2]), "finished", 9, 2],
              [step(9, [2], NaN), "not-finite", 9, 2],
              [step(9, [0, 2], -Infinity), "not-finite", 9, 0],
              [
                frame(9, [1], {
                  kind: "resetTo",
                  qpos: new Float64Array(6),
                  qvel: new Float64Array(6).fill(NaN),
                }),
                "not-finite",
                9,
                1,
              ],
              [step(2 ** 32 - 1, [2]), "finished", 2 ** 32 - 1, 2],
            ];
          for (const [message, code, request, environment] of cases) {
            client.send(message);
            const answer = await client.nextJson();
            assertEquals(
              { ...answer, message: typeof answer.message },
              { type: "error", request, code, message: "string", environment },
              `${message} got ${answer.message}`,
            );
          }
          const answer = await client.ask(seeds(1, 2));
          assertEquals((answer as ArrayBuffer).byteLength, 16 + 2 * 11 * 8);
          await client.close();
        },
      );

      await t.step("answers each of 2,000 malformed requests once and stays usable", async () => {
        const client = await RawClient.connect(url);
        await client.ask(hello());
        await fc.assert(
          fc.asyncProperty(malformedMessages(hopper, JSON.parse(hello())), async (message) => {
            const answer = await client.ask(message);
            if (typeof answer === "string") assertEquals(JSON.parse(answer).type, "error");
          }),
          { numRuns: 2000, seed: 4 },
        );
        const reset = await client.ask(frame(1, [0], { kind: "reset", seeds: [1] }));
        assertEquals((reset as ArrayBuffer).byteLength, 16 + 11 * 8);
        await client.close();
      });

      await t.step("answers in order, including requests sent ahead", async () => {
        const client = await RawClient.connect(url);
        await client.ask(hello());
        client.send(frame(1, [0, 1, 2], { kind: "reset", seeds: [1, 2, 3] }));
        for (let id = 2; id <= limits.unanswered; id++) client.send(step(id, [id % 3]));
        for (let id = 1; id <= limits.unanswered; id++) {
          const view = new DataView(await client.next() as ArrayBuffer);
          const [kind, n] = id === 1 ? [0x81, 3] : [0x82, 1];
          assertEquals(view.getUint8(0), kind);
          assertEquals([view.getUint32(4, true), view.getUint32(8, true)], [id, n]);
          assertEquals(
            view.byteLength,
            16 + (id === 1 ? 3 * 11 * 8 : 12 * 8 + 2),
          );
        }
        await client.close();
      });

      await t.step("closes only the connection whose message is too long", async () => {
        const witness = await connectEnvironment(url, "Hopper-v4", 1);
        const client = await RawClient.connect(url);
        await client.ask(hello());
        client.send(new Uint8Array(limits.requestBytes + 1));
        assertEquals(await client.closeCode(), 1009);
        const inParts = await BareClient.connect(url);
        using _ = inParts.connection;
        await inParts.sendFragments(1 + limits.requestBytes / (1 << 15), 1 << 15);
        assertEquals(await inParts.closed(), 1009);
        await witness.reset([1]);
        await witness.close();
      });

      await t.step(
        "closes connections that would fill its memory, and its memory does not grow",
        async () => {
          const before = residentBytes(running.pid);
          const [continuation, ping] = [0x00, 0x89];
          const floods = [
            ["a message without end", continuation, 65_000],
            ["fragments with nothing in them", continuation, 0],
            ["pings whose answers are not read", ping, 125],
          ] as const;
          for (const [what, kind, bytes] of floods) {
            for (const greeted of kind === ping ? [true] : [false, true]) {
              const client = await BareClient.connect(url);
              using connection = client.connection;
              if (greeted) {
                await client.send(hello());
                await connection.read(new Uint8Array(2000)); // the welcome
              }
              if (kind === continuation) await client.sendFragments(1, bytes);
              await assertRejects(() => client.flood(kind, new Uint8Array(bytes)), Error, "", what);
            }
          }
          assertLess(residentBytes(running.pid) - before, 64 << 20);
          await eventuallyConnects(url, 1);
        },
      );

      await t.step(
        "enforces the limit of environments and releases closed ones",
        async () => {
          const held: EnvironmentBatch[] = [];
          for (let sum = 0; sum < limits.environments; sum += limits.batch) {
            held.push(await connectEnvironment(url, "HalfCheetah-v4", limits.batch));
          }
          const refused = await RawClient.connect(url);
          refused.send(hello({ count: 1 }));
          assertEquals((await refused.nextJson()).code, "limit");
          await refused.closeCode();
          await Promise.all(held.map((batch) => batch.close()));
          await eventuallyConnects(url, limits.batch);
        },
      );

      await t.step("closes the environments of clients that disconnect during a step", async () => {
        const all = Array.from({ length: limits.batch }, (_, i) => i);
        // More of them than the server has environments for, one pair after the other.
        for (let pair = 0; pair < 2; pair++) {
          await Promise.all([1, 2].map(async () => {
            const client = await BareClient.connect(url);
            await client.send(hello({ count: limits.batch }));
            await client.connection.read(new Uint8Array(1)); // the welcome begins
            await client.send(frame(1, all, { kind: "reset", seeds: all }));
            await client.send(step(2, all));
            client.connection.close();
          }));
          await eventuallyConnects(url, limits.batch);
        }
        await eventuallyConnects(url, limits.batch);
      });

      await t.step("serves its client while 1,000 others connect", async () => {
        const batch = await connectEnvironment(url, "Hopper-v4", 1);
        await batch.reset([1]);
        const { hostname, port } = new URL(url);
        const silent: Deno.Conn[] = [];
        for (let k = 0; k < 500; k++) {
          silent.push(await Deno.connect({ hostname, port: Number(port) }));
          await silent[k]!.write(new TextEncoder().encode("GET /?tok"));
        }
        const others = await Promise.all(
          Array.from({ length: 500 }, () => RawClient.connect(url)),
        );
        await batch.step(new Float64Array(3));
        const open = others.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length;
        assertLess(open, limits.connections);
        assert(open > 0);
        for (const socket of silent) socket.close();
        await Promise.all(others.map((client) => client.close()));
        await batch.step(new Float64Array(3));
        await batch.close();
        await eventuallyConnects(url, 1);
      });

      await t.step("reports a simulation that diverges", async () => {
        const batch = await connectEnvironment(url, "Hopper-v4", 2);
        await batch.reset([1, 2]);
        const upright = Float64Array.of(0, 1.25, 0, 0, 0, 0);
        await batch.resetTo(upright, new Float64Array(6).fill(1e11), [1]);
        const failure = await batch.step(new Float64Array(3), [1]).catch((error) => error);
        assertEquals([failure.fault, failure.code], ["rejected", "simulation"]);
        assertMatch(failure.message, /environment 1/);
        const over = await batch.step(new Float64Array(6)).catch((error) => error);
        assertEquals([over.code, over.environment], ["finished", 1]);
        await batch.step(new Float64Array(3), [0]);
        await batch.close();
      });

      await t.step(
        "steps episodes without auto-reset, and the same seed gives the same episode",
        async () => {
          const batch = await connectEnvironment(url, "Hopper-v4", 2);
          const first = await batch.reset([2 ** 53 - 1, 5]);
          const again = await batch.reset([5, 2 ** 53 - 1], [1, 0]);
          assertEquals(again, Float64Array.of(...first.subarray(11), ...first.subarray(0, 11)));
          assertNotEquals(first.subarray(0, 11), first.subarray(11));

          const fallAgainst = new Float64Array(3).fill(1);
          let last = await batch.step(fallAgainst, [1]);
          for (let k = 0; k < 200 && !last.terminated[0]; k++) {
            last = await batch.step(fallAgainst, [1]);
          }
          assertEquals([...last.terminated, ...last.truncated], [1, 0]);
          // The other has not moved, the finished one waits.
          assertEquals((await batch.state([0]))!.qpos.subarray(1), first.subarray(0, 5));
          const resting = await batch.state([1]);
          await batch.step(new Float64Array(6)).then(
            () => assert(false, "stepping a finished environment must be refused"),
            (error) => assertMatch(error.message, /environment 1 has no episode in progress/),
          );
          assertEquals(await batch.state([1]), resting);
          await batch.reset([1], [1]);
          await batch.step(new Float64Array(6));
          await batch.close();
        },
      );

      await t.step(
        "disconnects a client that sends no hello, even if it does not close its socket",
        async () => {
          assertEquals(await silent.closed(), 1008);
        },
      );

      await t.step("truncates at the step limit", async () => {
        const batch = await connectEnvironment(url, "HalfCheetah-v4", 1);
        await batch.reset([1]);
        const still = new Float64Array(6);
        for (let k = 1; k < 1000; k++) {
          const { terminated, truncated } = await batch.step(still);
          if (terminated[0] || truncated[0]) throw new Error(`ended at step ${k}`);
        }
        const { terminated, truncated } = await batch.step(still);
        assertEquals([terminated[0], truncated[0]], [0, 1]);
        await batch.close();
      });
    },
  });
}
