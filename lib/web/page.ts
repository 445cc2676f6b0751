/**
 * The page that trains in the browser.
 *
 * @module
 */
import { toyNames } from "../data/toy.ts";
import { Html, html, page } from "../report/html.ts";
import style from "./page.css" with { type: "text" };

/** Returns the page. It loads `client.js` and `worker.js`, which lie beside it. */
export function trainingPage(): string {
  return page(
    "SRPO in your browser",
    html`
      <header>
        <h1>SRPO in your browser</h1>
        <p>
          Score Regularized Policy Optimization trains here, on your own GPU: the same engine and the
          same shaders as on the command line. Nothing is sent anywhere.
        </p>
        <nav>
          <a id="bandit-link" href="#bandit">Bandit</a>
          <a id="maze-link" href="#maze">Maze</a>
          <a id="checks-link" href="#checks">Gradient checks</a>
        </nav>
      </header>
      ${section(
        "bandit",
        html`
          <h2>Policies of a two-dimensional bandit</h2>
          <p>
            A diffusion model learns the density of the data. Then each of 49 deterministic policies,
            one per target, moves from its target towards the data. The larger 1/β, the further it moves.
            This is Figure 3 of the <a href="https://arxiv.org/abs/2310.07297">paper</a>.
          </p>
        `,
        html`
          <label>Data
            <select id="bandit-density">${toyNames.map((name) =>
              html`<option>${name}</option>`
            )}</select>
          </label>
          <label>Budget
            <select id="bandit-budget">
              <option value="quick">quick</option>
              <option value="full">full</option>
            </select>
          </label>
        `,
        "bandit-panels",
      )}
      ${section(
        "maze",
        html`
          <h2>A maze, from data alone</h2>
          <p>
            D4RL's <code>maze2d-umaze</code>: from 100,000 recorded steps of a planner that wanders
            through the maze, SRPO learns a critic, a model of the behavior, and a policy that goes to
            the goal. The budgets are those of the command line's demo. MuJoCo simulates the episodes
            in this browser.
          </p>
        `,
        html``,
        "maze-panels",
      )}
      ${section(
        "checks",
        html`
          <h2>Does this GPU compute correctly?</h2>
          <p>
            Every operation of the engine and every loss, forward and gradient, is compared with double
            precision and with finite differences.
          </p>
        `,
        null,
        "checks-panels",
      )}
      <footer class="note">
        <p id="gpu"></p>
      </footer>
      <script type="module" src="client.js"></script>
    `,
    html`<style>${new Html(style)}</style>`,
  );
}

/**
 * Returns a section.
 *
 * @param fields Fields beside the seed; null if there is no seed either.
 * @param panels Class of its pictures.
 */
function section(id: string, intro: Html, fields: Html | null, panels: string): Html {
  return html`
    <section id="${id}">
      ${intro}
      <div class="controls">
        ${fields === null ? html`` : html`
          ${fields}
          <label>Seed
            <input id="${id}-seed" type="number" min="0" step="1" value="0">
          </label>
        `}
        <span class="buttons">
          <button id="${id}-start" class="primary">Start</button>
          <button id="${id}-pause">Pause</button>
          <button id="${id}-stop">Stop</button>
        </span>
      </div>
      <div class="progress"><div id="${id}-bar"></div></div>
      <p id="${id}-status" class="status" role="status">Ready.</p>
      <p id="${id}-error" class="warning" role="alert" hidden></p>
      <div id="${id}-panels" class="${panels}"></div>
      <div id="${id}-table"></div>
      <figure id="${id}-curves"></figure>
    </section>
  `;
}
