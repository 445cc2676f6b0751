import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { findTask } from "../../lib/data/catalog.ts";
import { getData, type GotFile, partOf } from "../../lib/data/get.ts";
import { UserError } from "../../lib/errors.ts";
import { type Answer, faultyServer, type RawRequest } from "./faulty_server.ts";
import { mayUseFiles, projectFile, withFolder } from "./files.ts";

const ignore = !mayUseFiles || Deno.permissions.querySync({ name: "net" }).state !== "granted";
/** A task whose hash is not known. */
const task = findTask("hopper-random-v2");
const whole: Uint8Array<ArrayBuffer> = ignore ? new Uint8Array() : Deno.readFileSync(
  projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5"),
);
const half = whole.length >> 1;
const sha256 = createHash("sha256").update(whole).digest("hex");
const persistence = {
  attempts: 3,
  pauseMilliseconds: 1,
  maxPauseMilliseconds: 2,
  stallMilliseconds: 20_000,
};
/** For servers that stall. On a busy machine, an honest answer may count as a stall too. */
const impatient = { ...persistence, attempts: 50, stallMilliseconds: 100 };

/** Options and a record of what the user is told. */
function setting(folder: string, mirror: string | null, chosen = persistence) {
  const told: string[] = [];
  const seen: (number | null)[] = [];
  return {
    told,
    seen,
    options: {
      folder,
      mirror,
      persistence: chosen,
      signal: new AbortController().signal,
      announce: (line: string) => void told.push(line),
      progress: (bytes: number, total: number | null) => void seen.push(bytes, total),
    },
  };
}

/** Answers with the whole file, or the rest of it where a range is requested. */
function honest({ headers }: RawRequest): Answer {
  const etag = '"1"';
  const start = Number(/bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1] ?? 0);
  if (start === 0) {
    return { status: "200 OK", headers: { "content-length": whole.length, etag }, body: whole };
  }
  if (start >= whole.length) {
    return { status: "416 Range", headers: { "content-range": `bytes */${whole.length}` } };
  }
  const range = `bytes ${start}-${whole.length - 1}/${whole.length}`;
  const length = whole.length - start;
  return {
    status: "206 Partial",
    headers: { "content-range": range, "content-length": length, etag },
    body: whole.subarray(start),
  };
}

/** The first half of the file, with the length of the whole. */
const cut: Answer = {
  status: "200 OK",
  headers: { "content-length": whole.length, etag: '"1"' },
  body: whole.subarray(0, half),
};

/** Downloads from a server and returns the result, the requests and what the user was told. */
async function downloaded(
  folder: string,
  answer: (request: RawRequest, n: number) => Answer,
  chosen = persistence,
): Promise<{ got: GotFile; ranges: (string | undefined)[]; told: string[] }> {
  await using server = faultyServer(answer);
  const { options, told } = setting(folder, server.url, chosen);
  const got = await getData(task, options);
  return { got, told, ranges: server.requests.map(({ headers }) => headers.get("range")) };
}

async function assertWhole(folder: string, got: GotFile): Promise<void> {
  assertEquals(got.sha256, sha256);
  assertEquals(await Deno.readFile(join(folder, task.file)), whole);
  const left = [...Deno.readDirSync(join(folder, "downloads"))].map(({ name }) => name).sort();
  assertEquals(left, [`${task.file}.json`, `${task.file}.lock`]);
}

const rest = `bytes=${half}-`;
/** Faults after which the file is whole: the answers before the server is well again. */
const overcome: Record<string, { answers: Answer[]; ranges: (string | undefined)[] }> = {
  "never answers": {
    answers: [{ status: "200 OK", headers: { "content-length": whole.length }, then: "stall" }],
    ranges: [undefined, undefined],
  },
  "cuts off": { answers: [cut], ranges: [undefined, rest] },
  "states too large a length": {
    answers: [{
      ...cut,
      headers: { "content-length": whole.length + 99, etag: '"1"' },
      body: whole,
    }],
    ranges: [undefined, `bytes=${whole.length}-`],
  },
  "ignores ranges": {
    answers: [cut, {
      status: "200 OK",
      headers: { "content-length": whole.length, etag: '"1"' },
      body: whole,
    }],
    ranges: [undefined, rest],
  },
  "answers with another range": {
    answers: [cut, {
      status: "206 Partial",
      headers: { "content-range": `bytes 0-9/${whole.length}`, "content-length": 10, etag: '"1"' },
      body: whole.subarray(0, 10),
    }],
    ranges: [undefined, rest, undefined],
  },
  "is busy, then comes back": {
    answers: [
      { status: "503 Unavailable", headers: { "retry-after": 3600 } },
      { status: "429 Too Many" },
    ],
    ranges: [undefined, undefined, undefined],
  },
  "closes without an answer": { answers: [{ status: "" }], ranges: [undefined, undefined] },
  "sends no length": {
    answers: [{ status: "200 OK", body: whole }],
    ranges: [undefined],
  },
};

for (const [fault, { answers, ranges }] of Object.entries(overcome)) {
  Deno.test({
    name: `getData() gets the whole file from a server that ${fault}`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        const stalls = answers.some(({ then }) => then === "stall");
        const found = await downloaded(
          folder,
          (request, n) => answers[n] ?? honest(request),
          stalls ? impatient : persistence,
        );
        await assertWhole(folder, found.got);
        assertEquals(stalls ? found.ranges.slice(0, ranges.length) : found.ranges, ranges);
        assertEquals(found.told.length, found.ranges.length - 1);
      }),
  });
}

Deno.test({
  name: "getData() continues after the part that arrived from a server that stalls",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { got, ranges, told } = await downloaded(
        folder,
        (request) => request.headers.has("range") ? honest(request) : { ...cut, then: "stall" },
        impatient,
      );
      await assertWhole(folder, got);
      // On a busy machine, the client may give up before anything or everything has arrived.
      const first = ranges.find((range) => range !== undefined);
      const start = Number(/^bytes=(\d+)-$/.exec(first!)![1]);
      assert(ranges[0] === undefined && start > 0 && start <= half, `${ranges}`);
      assertEquals(told.length, ranges.length - 1);
    }),
});

Deno.test({
  name: "getData() does not join parts of two versions of a file",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const old = {
        ...cut,
        body: whole.subarray(0, half).toReversed(),
        headers: {
          ...cut.headers,
          etag: '"0"',
        },
      };
      old.body.set(whole.subarray(0, 8));
      // A server that honours If-Range sends the whole new file, another one the rest of it.
      for (const obeys of [true, false]) {
        const { got } = await downloaded(folder, (request, n) => {
          if (n === 0) return old;
          if (n === 1) assertEquals(request.headers.get("if-range"), '"0"');
          return obeys && n === 1 ? honest({ ...request, headers: new Map() }) : honest(request);
        });
        await assertWhole(folder, got);
        await Deno.remove(join(folder, task.file));
      }
    }),
});

Deno.test({
  name: "getData() follows redirects, also when it continues",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { got, ranges } = await downloaded(folder, (request, n) => {
        if (request.path !== "/other") {
          return { status: "302 Found", headers: { location: "/other" } };
        }
        return n === 1 ? cut : honest(request);
      });
      await assertWhole(folder, got);
      assertEquals(ranges, [undefined, undefined, rest, rest]);
    }),
});

Deno.test({
  name: "getData() continues the part of an earlier process, and reports both in its progress",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using server = faultyServer((request, n) => n === 0 ? cut : honest(request));
      const first = setting(folder, server.url);
      const error = await assertRejects(
        () => getData(task, { ...first.options, persistence: { ...persistence, attempts: 1 } }),
        UserError,
        `The ${half} bytes that arrived are kept`,
      );
      assertStringIncludes(error.message, server.url);
      const second = setting(folder, server.url);
      await assertWhole(folder, await getData(task, second.options));
      assert(second.seen[0]! > half, String(second.seen));
      assertEquals(second.seen.slice(-2), [whole.length, whole.length]);
    }),
});

Deno.test({
  name: "getData() stops at a signal and keeps the part that arrived",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using server = faultyServer(() => ({ ...cut, then: "stall" }));
      const { options } = setting(folder, server.url);
      const stop = new AbortController();
      const progress = () => stop.abort(new UserError("stopped"));
      await assertRejects(
        () => getData(task, { ...options, signal: stop.signal, progress }),
        UserError,
        "stopped",
      );
      assert((await Deno.stat(partOf(folder, task))).size > 0);
    }),
});

/** Answers that end a download at once, and the message. */
const refused: Record<string, { answer: Answer; message: string }> = {
  "a web page": {
    answer: {
      status: "200 OK",
      headers: { "content-type": "text/html" },
      body: "<!DOCTYPE html><html><body>Sign in to download this file</body></html>",
    },
    message: "the server sent a web page instead of an HDF5 file",
  },
  "a file of another kind": {
    answer: { status: "200 OK", body: "PK\x03\x04" },
    message: "the server sent another kind of file instead of an HDF5 file",
  },
  "404": { answer: { status: "404 Not Found" }, message: "the server answered 404 Not Found" },
  "a length below the file's": {
    answer: { ...cut, headers: { "content-length": half } },
    message: `truncated: it has only ${half} of ${whole.length} bytes`,
  },
  "data of another robot": {
    answer: {
      status: "200 OK",
      body: ignore ? "" : Deno.readFileSync(projectFile("data/maze2d-umaze-100k.hdf5")),
    },
    message: "each row has 4 observation and 2 action entries, but hopper-random-v2 needs 11 and 3",
  },
};

for (const [what, { answer, message }] of Object.entries(refused)) {
  Deno.test({
    name: `getData() refuses ${what} and keeps nothing of it`,
    ignore,
    fn: () =>
      withFolder(async (folder) => {
        await using server = faultyServer(() => answer);
        const { options } = setting(folder, server.url);
        const error = await assertRejects(() => getData(task, options), UserError, message);
        assertStringIncludes(error.message, `${server.url}/${task.file}`);
        assertEquals(server.requests.length, 1);
        const left = [...Deno.readDirSync(join(folder, "downloads"))].map(({ name }) => name);
        assertEquals(left, [`${task.file}.lock`]);
      }),
  });
}

Deno.test({
  name: "getData() gives up after as many attempts as configured without a new byte",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using server = faultyServer(() => ({ status: "500 Internal Server Error" }));
      const { options, told } = setting(folder, server.url);
      await assertRejects(
        () => getData(task, options),
        UserError,
        "the server answered 500 Internal Server Error, 3 times in a row",
      );
      assertEquals([server.requests.length, told.length], [3, 2]);
    }),
});

Deno.test({
  name: "getData() compares a file with the hash in the catalog",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const known = findTask("hopper-expert-v2");
      await using server = faultyServer(honest);
      const { options } = setting(folder, server.url);
      const error = await assertRejects(() => getData(known, options), UserError, "01aa219a5f8e");
      assertStringIncludes(error.message, sha256);
      assertEquals(await Deno.stat(join(folder, known.file)).catch(() => null), null);
      // hopper-medium's size is known too, so nothing is fetched.
      await assertRejects(
        () => getData(findTask("hopper-medium-v2"), options),
        UserError,
        `has ${whole.length} bytes, but the known file has 152756557`,
      );
    }),
});

Deno.test({
  name: "getData() compares with the hash of the first download, and with a file that is there",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = join(folder, task.file);
      let body = whole;
      const answer = () => ({ status: "200 OK", body });
      const { got } = await downloaded(folder, answer);
      assertEquals([got.downloaded, got.compared], [true, "nothing"]);

      const again = await downloaded(folder, answer);
      assertEquals([again.got.downloaded, again.got.compared], [false, "first download"]);
      assertEquals(again.ranges, []);

      await Deno.remove(path);
      body = whole.slice();
      body[body.length - 1]! ^= 1;
      const changed = () => downloaded(folder, answer);
      const error = await assertRejects(changed, UserError, `had ${sha256} when it was first seen`);
      assertEquals(await Deno.stat(path).catch(() => null), null);
      await Deno.remove(/delete (\S+)$/.exec(error.message)![1]!);
      assertEquals((await changed()).got.compared, "nothing");

      await Deno.writeFile(path, whole);
      await assertRejects(changed, UserError, "if it is damaged, delete it");
    }),
});

Deno.test({
  name: "getData() refuses a second download of the same file at the same time",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using server = faultyServer((request, n) =>
        n === 0 ? { ...cut, then: "stall" } : honest(request)
      );
      const { options } = setting(folder, server.url, impatient);
      let second: Promise<unknown> | null = null;
      const progress = () => {
        second ??= assertRejects(
          () => getData(task, options),
          UserError,
          `${task.file} is being downloaded by process ${Deno.pid}`,
        );
      };
      await assertWhole(folder, await getData(task, { ...options, progress }));
      assert(second !== null);
      await second;
    }),
});
