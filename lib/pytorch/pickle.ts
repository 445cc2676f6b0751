/**
 * Reads and writes the pickles of PyTorch's state dicts. Nothing in a pickle is imported or
 * executed: a name in it is only a name, and a call of one is a record of its arguments.
 *
 * The opcodes are those of Python's `pickletools`. Only the ones that `torch.save` writes for a
 * state dict are known; any other ends reading.
 *
 * @module
 */

/** A name in a pickle, for example `torch FloatStorage`. */
export interface PickledName {
  /** Module and name. */
  readonly name: string;
}

/** A recorded call. Items are what the pickle sets in the object that the call would return. */
export interface PickledCall {
  /** Name of what would be called. */
  readonly of: string;
  /** Its arguments. */
  readonly arguments: readonly Pickled[];
  /** Items set in its result. */
  readonly items: Map<Pickled, Pickled>;
}

/** A reference to data outside the pickle. */
export interface PickledReference {
  /** What identifies the data. */
  readonly reference: Pickled;
}

/** A value in a pickle. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[]
  | Map<Pickled, Pickled>
  | PickledName
  | PickledCall
  | PickledReference;

/** Whether a value is a recorded call. */
export function isCall(value: Pickled | undefined): value is PickledCall {
  return typeof value === "object" && value !== null && "of" in value;
}

/** Whether a value is a name. */
export function isName(value: Pickled | undefined): value is PickledName {
  return typeof value === "object" && value !== null && "name" in value;
}

/** Whether a value is a reference to data outside the pickle. */
export function isReference(value: Pickled | undefined): value is PickledReference {
  return typeof value === "object" && value !== null && "reference" in value;
}

const mark = Symbol("mark");

/**
 * Reads a pickle.
 *
 * @throws {Error} If it ends early or has an opcode that state dicts do not need.
 */
export function readPickle(bytes: Uint8Array): Pickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const stack: (Pickled | typeof mark)[] = [];
  const memo = new Map<number, Pickled>();
  let at = 0;
  const skip = (count: number) => {
    at += count;
    if (at > bytes.length) throw new Error("it ends early");
    return at - count;
  };
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new Error("it ends early");
    return utf8.decode(bytes.subarray(at, (at = end + 1) - 1));
  };
  const text = (length: number) => {
    const start = skip(length);
    return utf8.decode(bytes.subarray(start, start + length));
  };
  const pop = (): Pickled => {
    const value = stack.pop();
    if (value === undefined || value === mark) throw new Error("its stack is empty");
    return value;
  };
  const popToMark = (): Pickled[] => {
    const start = stack.lastIndexOf(mark);
    if (start < 0) throw new Error("it has no mark");
    return stack.splice(start).slice(1) as Pickled[];
  };
  const take = (count: number) => Array.from({ length: count }, pop).reverse();
  const top = (): Pickled => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const setItems = (pairs: readonly Pickled[]) => {
    const target = top();
    const items = target instanceof Map ? target : isCall(target) ? target.items : null;
    if (items === null) throw new Error("it sets items of something else than a dictionary");
    for (let i = 0; i + 1 < pairs.length; i += 2) items.set(pairs[i]!, pairs[i + 1]!);
  };
  const append = (values: readonly Pickled[]) => {
    const target = top();
    if (!Array.isArray(target)) throw new Error("it appends to something else than a list");
    target.push(...values);
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw new Error(`it recalls entry ${index}, which it never stored`);
    stack.push(value);
  };
  const nameOf = (module: Pickled, name: Pickled) => ({ name: `${module} ${name}` });

  for (;;) {
    const opcode = String.fromCharCode(bytes[skip(1)]!);
    switch (opcode) {
      case "\x80": // PROTO
        skip(1);
        break;
      case "\x95": // FRAME
        skip(8);
        break;
      case ".": // STOP
        return pop();
      case "c": { // GLOBAL
        const module = line();
        stack.push(nameOf(module, line()));
        break;
      }
      case "\x93": { // STACK_GLOBAL
        const [module, name] = take(2);
        stack.push(nameOf(module!, name!));
        break;
      }
      case "R": { // REDUCE
        const [called, args] = take(2);
        if (!isName(called) || !Array.isArray(args)) throw new Error("it calls something unnamed");
        stack.push({ of: called.name, arguments: args, items: new Map() });
        break;
      }
      case "b": // BUILD: the state of an object, such as the versions of a state dict's modules.
        pop();
        break;
      case "Q": // BINPERSID
        stack.push({ reference: pop() });
        break;
      case "(": // MARK
        stack.push(mark);
        break;
      case "t": // TUPLE
        stack.push(popToMark());
        break;
      case ")": // EMPTY_TUPLE
      case "]": // EMPTY_LIST
        stack.push([]);
        break;
      case "\x85": // TUPLE1
        stack.push(take(1));
        break;
      case "\x86": // TUPLE2
        stack.push(take(2));
        break;
      case "\x87": // TUPLE3
        stack.push(take(3));
        break;
      case "a": // APPEND
        append(take(1));
        break;
      case "e": // APPENDS
        append(popToMark());
        break;
      case "}": // EMPTY_DICT
        stack.push(new Map());
        break;
      case "s": // SETITEM
        setItems(take(2));
        break;
      case "u": // SETITEMS
        setItems(popToMark());
        break;
      case "X": // BINUNICODE
        stack.push(text(view.getUint32(skip(4), true)));
        break;
      case "\x8c": // SHORT_BINUNICODE
        stack.push(text(view.getUint8(skip(1))));
        break;
      case "K": // BININT1
        stack.push(view.getUint8(skip(1)));
        break;
      case "M": // BININT2
        stack.push(view.getUint16(skip(2), true));
        break;
      case "J": // BININT
        stack.push(view.getInt32(skip(4), true));
        break;
      case "\x8a": { // LONG1: little-endian two's complement.
        const length = view.getUint8(skip(1));
        const start = skip(length);
        const hex = Array.from(
          bytes.subarray(start, start + length),
          (byte) => byte.toString(16).padStart(2, "0"),
        ).reverse().join("");
        stack.push(length === 0 ? 0 : Number(BigInt.asIntN(8 * length, BigInt(`0x${hex}`))));
        break;
      }
      case "G": // BINFLOAT
        stack.push(view.getFloat64(skip(8)));
        break;
      case "\x88": // NEWTRUE
        stack.push(true);
        break;
      case "\x89": // NEWFALSE
        stack.push(false);
        break;
      case "N": // NONE
        stack.push(null);
        break;
      case "q": // BINPUT
        memo.set(view.getUint8(skip(1)), top());
        break;
      case "r": // LONG_BINPUT
        memo.set(view.getUint32(skip(4), true), top());
        break;
      case "\x94": // MEMOIZE
        memo.set(memo.size, top());
        break;
      case "h": // BINGET
        recall(view.getUint8(skip(1)));
        break;
      case "j": // LONG_BINGET
        recall(view.getUint32(skip(4), true));
        break;
      default:
        throw new Error(
          `it has the opcode 0x${opcode.charCodeAt(0).toString(16)} at byte ${at - 1}, which a ` +
            "state dict does not need",
        );
    }
  }
}

/** Writes a pickle of protocol 2. */
export function writePickle(value: Pickled): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [0x80, 2];
  const utf8 = new TextEncoder();
  const opcode = (character: string) => bytes.push(character.charCodeAt(0));
  const number = (value: number) => {
    for (let shift = 0; shift < 32; shift += 8) bytes.push(value >>> shift & 0xff);
  };
  const tuple = (values: readonly Pickled[]) => {
    opcode("(");
    values.forEach(write);
    opcode("t");
  };
  const items = (entries: Map<Pickled, Pickled>) => {
    opcode("(");
    for (const [key, item] of entries) {
      write(key);
      write(item);
    }
    opcode("u");
  };
  const write = (value: Pickled): void => {
    if (value === null) opcode("N");
    else if (typeof value === "boolean") opcode(value ? "\x88" : "\x89");
    else if (typeof value === "number") {
      opcode("J");
      number(value);
    } else if (typeof value === "string") {
      const text = utf8.encode(value);
      opcode("X");
      number(text.length);
      bytes.push(...text);
    } else if (Array.isArray(value)) tuple(value);
    else if (value instanceof Map) {
      opcode("}");
      items(value);
    } else if (isReference(value)) {
      write(value.reference);
      opcode("Q");
    } else if (isCall(value)) {
      write({ name: value.of });
      tuple(value.arguments);
      opcode("R");
      if (value.items.size > 0) items(value.items);
    } else if (isName(value)) {
      opcode("c");
      bytes.push(...utf8.encode(value.name.replace(" ", "\n") + "\n"));
    }
  };
  write(value);
  opcode(".");
  return Uint8Array.from(bytes);
}
