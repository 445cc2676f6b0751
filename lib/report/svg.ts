/**
 * SVG as text: elements, numbers and the few shapes that the pictures share.
 *
 * @module
 */

/** Attributes of an element by name; numbers are rounded to a hundredth of a pixel. */
export type Attributes = Readonly<Record<string, string | number>>;

/** An element with its attributes and children, which are SVG already. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? px(value) : escaped(value)}"`)
    .join("");
  return children.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>${children.join("")}</${name}>`;
}

/** A length in pixels as SVG writes it, rounded to a hundredth. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100 + 0);
}

/** Text at a point; `anchor` says which of its ends lies there. */
export function label(
  x: number,
  y: number,
  content: string,
  anchor: "start" | "middle" | "end" = "middle",
  attributes: Attributes = {},
): string {
  return element("text", { x, y, "text-anchor": anchor, ...attributes }, escaped(content));
}

/** A path through points `[x0, y0, x1, y1, …]` in pixels, as the `d` of a `path`. */
export function polyline(points: ArrayLike<number>): string {
  let path = "";
  for (let i = 0; i + 1 < points.length; i += 2) {
    path += `${i === 0 ? "M" : "L"}${px(points[i]!)} ${px(points[i + 1]!)}`;
  }
  return path;
}

/** A whole picture on white, with the font that every label in it has. */
export function picture(width: number, height: number, ...children: string[]): string {
  const whole = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${px(width)} ${px(height)}`,
      "font-family": "Helvetica, Arial, 'Liberation Sans', sans-serif",
      "font-size": 12,
      fill: "#222",
    },
    element("rect", { width, height, fill: "#fff" }),
    ...children,
  );
  return whole.replaceAll("><", ">\n<") + "\n";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
