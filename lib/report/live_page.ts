/**
 * The page that shows a run while it trains.
 *
 * @module
 */
import { browserBundle } from "./browser_bundle.ts";
import { html, page } from "./html.ts";

let script: Promise<string> | undefined;

/** Returns the page's script, which is bundled at the first call. */
export function liveScript(): Promise<string> {
  return script ??= browserBundle(new URL("./client/live.ts", import.meta.url));
}

/** Returns the page. It loads `client.js` and listens to `events`, both beside it. */
export function livePage(): string {
  return page(
    "Training",
    html`
      <h1 id="name">Training</h1>
      <p id="description" class="note"></p>
      <div id="stages"></div>
      <p id="connection" class="note"></p>
      <figure id="evaluations"></figure>
      <section id="episode" hidden>
        <canvas id="canvas" width="480" height="360"></canvas>
        <p id="caption" class="note"></p>
      </section>
      <figure id="losses"></figure>
      <script type="module" src="client.js"></script>
    `,
  );
}
