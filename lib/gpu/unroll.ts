/**
 * Unrolls the loops of a shader that are marked with `//#unroll`, because drivers keep an array in
 * memory instead of registers unless all its indices are constants.
 *
 * @module
 */

const declaration = /^const (\w+) = ([^;]+);/gm;
const loopHead = /^(\s*)for \(var (\w+) = ([^;]+); \2 < ([^;]+); \2\+\+\) \{$/;

/**
 * Gives module-scope constants their values and unrolls marked loops. A marked loop has the form
 * `for (var i = A; i < B; i++) {`, where A and B consist of numbers, module-scope constants,
 * variables of enclosing marked loops and the operators `+ - * / %`. It ends with the first `}` at
 * its indentation. Each round becomes a block in which a number replaces the variable.
 *
 * @param constants Values that replace those in the `const` declarations.
 */
export function unroll(code: string, constants: Readonly<Record<string, number>>): string {
  if (!code.includes("//#unroll")) return code;
  const values = new Map<string, number>();
  const text = code.replaceAll(declaration, (line, name: string, expression: string) => {
    const value = constants[name] ?? evaluate(expression, values);
    if (value === null) return line;
    values.set(name, value);
    return `const ${name} = ${value}u;`;
  });
  const unknown = Object.keys(constants).filter((name) => !values.has(name));
  if (unknown.length > 0) {
    throw new Error(`unroll: the shader declares no constant ${unknown.join(", ")}`);
  }
  return unrollLines(text.split("\n"), values).join("\n");
}

function unrollLines(lines: readonly string[], values: ReadonlyMap<string, number>): string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (lines[at]!.trim() !== "//#unroll") {
      out.push(lines[at]!);
      continue;
    }
    const head = lines[++at] ?? "";
    const [, indent, name, first, bound] = loopHead.exec(head) ?? [];
    const from = first === undefined ? null : evaluate(first, values);
    const to = bound === undefined ? null : evaluate(bound, values);
    const end = lines.indexOf(`${indent}}`, at);
    if (from === null || to === null || end < 0) {
      throw new Error(`unroll: expected a loop with constant bounds, got "${head.trim()}"`);
    }
    const variable = new RegExp(`\\b${name}\\b`, "g");
    for (let round = from; round < to; round++) {
      const body = lines.slice(at + 1, end).map((line) => line.replaceAll(variable, `${round}u`));
      out.push(`${indent}{`, ...unrollLines(body, values), `${indent}}`);
    }
    at = end;
  }
  return out;
}

/**
 * Evaluates an expression of unsigned integers, from left to right with the usual precedence.
 * Returns null if it contains anything else.
 */
function evaluate(expression: string, values: ReadonlyMap<string, number>): number | null {
  const tokens = expression.match(/\w+|\S/g) ?? [];
  let at = 0;
  function operand(): number | null {
    const token = tokens[at++] ?? "";
    if (token === "(") {
      const value = sum();
      return tokens[at++] === ")" ? value : null;
    }
    return /^\d+u?$/.test(token) ? parseInt(token) : values.get(token) ?? null;
  }
  function product(): number | null {
    let value = operand();
    while (value !== null && /^[*/%]$/.test(tokens[at] ?? "")) {
      const operator = tokens[at++];
      const next = operand();
      if (next === null) return null;
      if (operator === "*") value *= next;
      else value = operator === "/" ? Math.floor(value / next) : value % next;
    }
    return value;
  }
  function sum(): number | null {
    let value = product();
    while (value !== null && /^[+-]$/.test(tokens[at] ?? "")) {
      const sign = tokens[at++] === "+" ? 1 : -1;
      const next = product();
      if (next === null) return null;
      value += sign * next;
    }
    return value;
  }
  const value = sum();
  return at === tokens.length ? value : null;
}
