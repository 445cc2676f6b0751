/**
 * The page of `watch`, without its script.
 *
 * @module
 */
import { Html, html, page } from "../report/html.ts";
import type { Content } from "./content.ts";
import { fileNames } from "./files.ts";
import style from "./page.css" with { type: "text" };

/** Speeds of the page by label. */
const speeds = { "1/10": "0.1", "1/4": "0.25", "1×": "1", "4×": "4", max: "max" };

/** Loads nothing but the files beside the page. MuJoCo's bindings are compiled by `Function`. */
const securityPolicy = "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self'; " +
  "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Returns the page. */
export function watchPage(content: Content): string {
  const { title, name, environment, profile, seed, version, families } = content;
  const actors = [...new Set(families.map(({ actor }) => actor))];
  const several = families.length > actors.length || families.some(({ values }) => values !== null);
  const [actor] = actors;
  const evaluation = `eval ${name}${several ? "/FOLDER" : ""}` +
    (actors.length > 1 ? " --policy NAME" : actor === null ? "" : ` --policy ${actor}`) +
    ` --task ${environment} --profile ${profile}` +
    (seed === 0 ? "" : ` --seed ${seed}`);
  return page(
    title,
    html`
      <header>
        <h1>${title}</h1>
        <p class="note">Drag the robot to push it. Drag the background to turn the camera, scroll to
          zoom.</p>
      </header>
      ${toolbar()}
      <p id="status" class="note" role="status">Loading MuJoCo and the policies …</p>
      <main id="panes"></main>
      <section id="episodes" hidden>
        <h2>Episodes</h2>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                ${["Episode", "Policy", "Return", "Score", "Steps", ""].map((head) =>
                  html`<th>${head}</th>`
                )}
              </tr>
            </thead>
            <tbody id="rows"></tbody>
          </table>
        </div>
        <p class="note">
          Unless the robot was pushed or the policy switched, the returns are those of <code>${evaluation}</code>
          to the last digit.
        </p>
      </section>
      <footer class="note">${about(environment, name, version)}</footer>
      ${pane()}
    `,
    html`
      <meta http-equiv="content-security-policy" content="${securityPolicy}">
      <meta
        name="description"
        content="${title}: the policy and MuJoCo run in this page. Push the robot."
      >
      <style>${new Html(style)}</style>
      <script type="module" src="${fileNames.script}"></script>
    `,
  );
}

function toolbar(): Html {
  return html`
    <div class="toolbar" role="toolbar" aria-label="Playback">
      <div class="group">
        <button id="play" class="main" aria-pressed="false" title="Space">Pause</button>
        <button id="step" title="One step of the policy (.)">Step</button>
        <button id="reset" title="The same episode again (R)">Reset</button>
        <button id="next" title="The next episode (N)">Next</button>
      </div>
      <label class="group">Episode
        <input id="episode" type="number" min="1" max="1000000" value="1">
        <span class="note">seed <output id="seed"></output></span>
      </label>
      <fieldset class="group speeds">
        <legend>Speed</legend>
        ${Object.entries(speeds).map(([label, value]) =>
          html`<label><input type="radio" name="speed" value="${value}" ${
            value === "1" ? "checked" : ""
          }><span>${label}</span></label>`
        )}
      </fieldset>
      <button id="add" title="Adds another policy beside these">Add policy</button>
    </div>
  `;
}

function pane(): Html {
  return html`
    <template id="pane">
      <article class="pane">
        <div class="head">
          <select class="policy" aria-label="Policy"></select>
          <button class="camera" aria-pressed="false" title="Follow the robot">Follow</button>
          <button class="remove" aria-label="Remove this policy" title="Remove">×</button>
        </div>
        <div class="sweep" hidden>
          <span>cautious</span>
          <input class="slider" type="range" min="0" step="1" aria-label="From cautious to greedy">
          <span>greedy</span>
          <output class="variant"></output>
        </div>
        <div class="picture">
          <canvas class="scene" role="img" aria-label="The robot"></canvas>
          <span class="state"></span>
        </div>
        <div class="numbers">
          <dl>
            <div class="panel return-panel">
              <dt>Return</dt>
              <dd class="return">0</dd>
            </div>
            <div class="panel">
              <dt>Step</dt>
              <dd class="steps"></dd>
            </div>
            <div class="panel reward-panel">
              <dt>Reward</dt>
              <dd class="reward">–</dd>
              <canvas class="reward-curve" role="img" aria-label="Rewards so far"></canvas>
            </div>
            <div class="panel value-panel">
              <dt class="value-name">Critic</dt>
              <dd class="value">–</dd>
              <canvas class="value-curve" role="img" aria-label="Values so far"></canvas>
            </div>
          </dl>
          <div class="panel action-panel">
            <h3>Action</h3>
            <ul class="actions"></ul>
          </div>
        </div>
      </article>
    </template>
  `;
}

function about(environment: string, name: string, version: string): Html {
  return html`
    <p>
      A policy trained offline by srpo-webgpu ${version} (${name}) acts in ${environment}. Physics
      (MuJoCo's WebAssembly build), policy and critic run in this page; it sends nothing and loads
      nothing from elsewhere. The critic's value is in units of the rewards it was trained on. Keys:
      space, <kbd>.</kbd>, <kbd>R</kbd>, <kbd>N</kbd>.
    </p>
    <p>
      MuJoCo: Apache License 2.0, © DeepMind Technologies. three.js: MIT License, © three.js authors.
    </p>
  `;
}
