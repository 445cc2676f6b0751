/**
 * HTML text: a template tag that escapes, tables, and the page around them.
 *
 * @module
 */
import { paletteStyle } from "./palette.ts";
import { alignsRight } from "./table.ts";
import style from "./page.css" with { type: "text" };

/** HTML that is inserted as it is. */
export class Html {
  /** The HTML text. */
  readonly text: string;

  /** Marks text as HTML. The caller must have escaped what comes from outside. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What can be inserted into a template: text, which is escaped, HTML, and lists of both. */
export type Content = string | number | Html | readonly Content[];

/** Template tag that returns HTML and escapes the inserted text. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(
    strings.map((string, i) => string + (i < values.length ? textOf(values[i]!) : "")).join(""),
  );
}

/**
 * Returns a table. Columns whose entries all begin with a digit or a sign are right-aligned. HTML
 * is left-aligned.
 *
 * @param rows One list per row, as long as the header.
 */
export function table(header: readonly string[], rows: readonly (readonly Content[])[]): Html {
  const right = header.map((_, column) =>
    alignsRight(rows.map((row) => typeof row[column] === "object" ? "" : String(row[column])))
  );
  const cell = (content: Content, column: number) =>
    right[column] ? html`<td class="number">${content}</td>` : html`<td>${content}</td>`;
  const heading = (name: string, column: number) =>
    right[column]
      ? html`<th scope="col" class="number">${name}</th>`
      : html`<th scope="col">${name}</th>`;
  return html`
    <div class="scroll">
      <table>
        <thead>
          <tr>${header.map(heading)}</tr>
        </thead>
        <tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
      </table>
    </div>
  `;
}

/**
 * Returns a complete page, which loads nothing else. Its colors follow the reader's scheme.
 *
 * @param head Further elements of the page's head, for example a style.
 */
export function page(title: string, body: Html, head: Html = html``): string {
  return html`
    <!doctype html>
    <html lang="en" class="themed">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="data:,">
        <title>${title}</title>
        <style>${new Html(paletteStyle + style)}</style>
        ${head}
      </head>
      <body>
    ${body}
      </body>
    </html>
  `.text.trim() + "\n";
}

function textOf(content: Content): string {
  if (content instanceof Html) return content.text;
  if (typeof content === "object") return content.map(textOf).join("");
  return String(content).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
