/**
 * WGSL files and their directives. A shader is a plain WGSL file. Lines of the form `//#if NAME`,
 * `//#elif NAME`, `//#else` and `//#endif` select its structure; names may be negated with `!` and
 * joined with `||`. `wgsl-preprocessor` evaluates them. The line `//#unroll` replaces the `for`
 * loop that follows it by its rounds ({@linkcode unroll}).
 *
 * @module
 */
import { wgsl } from "wgsl-preprocessor";
import { unroll } from "./unroll.ts";

const directiveLine = /^[ \t]*\/\/#(if|elif|else|endif)\b[ \t]*(.*)$/;

/**
 * Renders a shader.
 *
 * @param source Text of the WGSL file.
 * @param directives Enabled names. Each must occur in the source.
 * @param constants Values of module-scope constants, which replace those of their `const`
 * declarations.
 * @throws {Error} A name in `directives` does not occur in any directive of the source, or a loop
 * cannot be unrolled.
 */
export function render(
  source: string,
  directives: readonly string[],
  constants: Readonly<Record<string, number>> = {},
): string {
  const on = new Set(directives);
  const known = new Set<string>();
  const strings: string[] = [];
  const values: unknown[] = [];
  let text = "";
  for (const line of source.split("\n")) {
    const match = directiveLine.exec(line);
    if (!match) {
      text += line + "\n";
      continue;
    }
    const [, keyword, condition = ""] = match;
    text += `#${keyword} `;
    if (keyword === "if" || keyword === "elif") {
      strings.push(text);
      values.push(evaluate(condition, on, known));
      text = "";
    }
    text += "\n";
  }
  strings.push(text);
  const unknown = directives.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(`render: the shader has no directive ${unknown.join(", ")}`);
  }
  return unroll(wgsl(Object.assign(strings, { raw: strings }), ...values), constants);
}

function evaluate(condition: string, on: Set<string>, known: Set<string>): boolean {
  const terms = condition.split("||").map((term) => term.trim());
  const names = terms.map((term) => term.replace(/^!/, ""));
  names.forEach((name) => known.add(name));
  return terms.some((term, i) => term.startsWith("!") !== on.has(names[i]!));
}

/** A binding that a shader declares. */
export interface Binding {
  /** Binding number. */
  readonly binding: number;
  /** Name of the variable, by which the host supplies a buffer. */
  readonly name: string;
  /** Whether the binding is read-only. */
  readonly readOnly: boolean;
}

/** Returns the storage bindings of group 0 in rendered WGSL. */
export function bindingsOf(code: string): Binding[] {
  const pattern = /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)/g;
  return [...code.matchAll(pattern)].map(([, binding, access, name]) => ({
    binding: Number(binding),
    name: name!,
    readOnly: access === "read",
  }));
}

/** A 32-bit field of a shader's `Job` struct. */
export interface JobField {
  /** Field name. */
  readonly name: string;
  /** Field type. */
  readonly type: "u32" | "f32";
}

/**
 * Returns the fields of the shader's `struct Job`, in order. The host packs job records by these
 * names, so host and shader always agree on the layout.
 */
export function jobFieldsOf(code: string): JobField[] {
  const body = /struct Job \{([^}]*)\}/.exec(code)?.[1];
  if (body === undefined) throw new Error("jobFieldsOf: the shader declares no `struct Job`");
  return body.split("\n")
    .map((line) => /^\s*(\w+)\s*:\s*(u32|f32)\s*,/.exec(line))
    .filter((match) => match !== null)
    .map(([, name, type]) => ({ name: name!, type: type as "u32" | "f32" }));
}

/**
 * Creates the error for a shader that does not compile.
 *
 * @param name The kernel's name.
 * @param directives The directives it was rendered with.
 * @param code The rendered WGSL.
 * @param messages Messages of the compiler.
 */
export function compilationError(
  name: string,
  directives: readonly string[],
  code: string,
  messages: readonly { lineNum: number; message: string }[],
): Error {
  const lines = code.split("\n");
  const details = messages.map(({ lineNum, message }) =>
    `  line ${lineNum}: ${(lines[lineNum - 1] ?? "").trim()}\n    ${message.trim()}`
  );
  const variant = directives.length > 0 ? directives.join(", ") : "none";
  return new Error(
    `kernel "${name}" (directives: ${variant}) does not compile:\n${details.join("\n")}`,
  );
}
