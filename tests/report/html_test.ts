import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { html, page, table } from "../../lib/report/html.ts";

Deno.test("html``: escapes inserted text, and inserts HTML and lists as they are", () => {
  const inner = html`<i>${"<&>"}</i>`;
  assertEquals(
    html`<p title="${'"a"'}">${[inner, "x", 3]}</p>`.text,
    [
      '<p title="&quot;a&quot;">',
      "<i>&lt;&amp;&gt;</i>x3</p>",
    ].join(""),
  );
});

Deno.test("table(): right-aligns columns whose entries begin with a number", () => {
  const { text } = table(["a", "<b>"], [["hopper", "−1.5 ± 2"], ["walker2d", "–"]]);
  assertStringIncludes(text, '<th scope="col" class="number">&lt;b&gt;</th>');
  assertEquals(text.match(/<td class="number">/g)?.length, 2);
});

Deno.test("page(): is a document that loads nothing", () => {
  const text = page("a < b", html`<h1>t</h1>`);
  assert(text.startsWith("<!doctype html>\n"));
  assertStringIncludes(text, "<title>a &lt; b</title>");
  assert(!/(src|href)="(?!data:)/.test(text));
});
