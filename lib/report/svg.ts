/**
 * SVG text: elements, numbers and shapes shared by the pictures.
 *
 * @module
 */

/** Attributes of an element by name. Numbers are rounded to 0.01 pixels. */
export type Attributes = Readonly<Record<string, string | number>>;

/** Returns an element with attributes and children. The children are SVG text. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? px(value) : escaped(value)}"`)
    .join("");
  return children.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>${children.join("")}</${name}>`;
}

/** Formats a length in pixels, rounded to 0.01. */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100 + 0);
}

/** Returns text at a point. `anchor` selects the part of the text at that point. */
export function label(
  x: number,
  y: number,
  content: string,
  anchor: "start" | "middle" | "end" = "middle",
  attributes: Attributes = {},
): string {
  return element("text", { x, y, "text-anchor": anchor, ...attributes }, escaped(content));
}

/** Returns the `d` attribute of a path through the points `[x0, y0, x1, y1, …]` in pixels. */
export function polyline(points: ArrayLike<number>): string {
  let path = "";
  for (let i = 0; i + 1 < points.length; i += 2) {
    path += `${i === 0 ? "M" : "L"}${px(points[i]!)} ${px(points[i + 1]!)}`;
  }
  return path;
}

/**
 * Returns an SVG document with a white background and the font of all labels.
 *
 * @param title Text alternative for screen readers.
 */
export function picture(
  title: string,
  width: number,
  height: number,
  ...children: string[]
): string {
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
      role: "img",
    },
    element("title", {}, escaped(title)),
    element("rect", { width, height, fill: "#fff" }),
    ...children,
  );
  return whole.replaceAll("><", ">\n<") + "\n";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
