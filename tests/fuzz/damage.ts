/**
 * Generators of damaged files.
 *
 * @module
 */
import fc from "fast-check";

/** Values that readers often mishandle. */
const nasty = fc.constantFrom<unknown>(
  null,
  true,
  -1,
  0.5,
  1e308,
  2 ** 53,
  4294967296,
  "",
  "x",
  "99999",
  "590.5",
  "../../etc/passwd",
  "/proc/self/mem",
  "__proto__",
  "\0",
  [],
  {},
  [null],
  { checksum: "0" },
);

/** Generates texts: a value in which some parts are replaced, removed or added. */
export function damagedJson(value: unknown): fc.Arbitrary<string> {
  const paths = pathsOf(value);
  const edit = fc.record({
    path: fc.constantFrom(...paths),
    kind: fc.constantFrom("replace", "remove", "add"),
    by: fc.oneof({ weight: 3, arbitrary: nasty }, { weight: 1, arbitrary: fc.jsonValue() }),
    key: fc.oneof(fc.constantFrom("__proto__", "constructor", "more", "0"), fc.string()),
  });
  const edited = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    JSON.stringify(
      edits.reduce((whole, { path, kind, by, key }) => changed(whole, path, kind, by, key), value),
    ) ?? ""
  );
  const text = JSON.stringify(value);
  const cut = fc.tuple(fc.nat(text.length), fc.string()).map(([at, tail]) =>
    text.slice(0, at) + tail
  );
  return fc.oneof({ weight: 6, arbitrary: edited }, { weight: 1, arbitrary: cut });
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key]));
  return [path, ...inner];
}

function changed(
  value: unknown,
  path: readonly string[],
  kind: string,
  by: unknown,
  key: string,
): unknown {
  const [first, ...rest] = path;
  if (typeof value !== "object" || value === null) return by;
  // An earlier edit may have put a list where the path expects an object.
  if (Array.isArray(value) && first === "length") return by;
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  if (first === undefined) {
    if (kind !== "add") return by;
    Object.defineProperty(copy, key, { value: by, enumerable: true, configurable: true });
  } else if (rest.length === 0 && kind === "remove") delete copy[first];
  else if (rest.length === 0 && kind === "replace") copy[first] = by;
  else copy[first] = changed(copy[first], rest, kind, by, key);
  return copy;
}

/**
 * Generates files: bytes of which some are changed, cut, inserted or overwritten by large numbers.
 */
export function damagedBytes(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  // Most of a file is numbers; the structure lies at the beginning and at the end.
  const place = fc.oneof(
    fc.nat(Math.min(bytes.length, 2048) - 1),
    fc.nat(Math.min(bytes.length, 1024) - 1).map((back) => bytes.length - 1 - back),
    fc.nat(bytes.length - 1),
  );
  const flip = fc.tuple(place, fc.nat(7)).map(([at, bit]) => (file: Uint8Array) => {
    const copy = file.slice();
    if (at < copy.length) copy[at]! ^= 1 << bit;
    return copy;
  });
  const overwrite = fc.tuple(
    place,
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      fc.constantFrom(
        new Uint8Array(8).fill(255),
        new Uint8Array(4).fill(255),
        new Uint8Array(8),
        Uint8Array.of(255, 255, 255, 127),
      ),
    ),
  ).map(([at, by]) => (file: Uint8Array) => {
    const copy = file.slice();
    copy.set(by.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length));
    return copy;
  });
  const cut = place.map((at) => (file: Uint8Array) => file.slice(0, at));
  const insert = fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 20 }))
    .map(([at, by]) => (file: Uint8Array) => {
      const start = Math.min(at, file.length);
      return Uint8Array.of(...file.subarray(0, start), ...by, ...file.subarray(start));
    });
  const edit = fc.oneof(
    { weight: 4, arbitrary: flip },
    { weight: 4, arbitrary: overwrite },
    { weight: 1, arbitrary: cut },
    { weight: 1, arbitrary: insert },
  );
  return fc.array(edit, { minLength: 1, maxLength: 4 })
    .map((edits) => edits.reduce((file, change) => change(file), bytes));
}
