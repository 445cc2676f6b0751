/**
 * The cost section of a report: computation and time per action.
 *
 * @module
 */
import { type Content, html, table } from "../report/html.ts";
import { costFigure, figureHtml } from "./report_figures.ts";
import type { ActorScore, Group, Series } from "./report_series.ts";

/** The cost of one actor of a series. */
export interface ActorCost {
  /** The series. */
  readonly series: Series;
  /** The actor, as `eval --policy` names it. */
  readonly policy: string;
  /** Title of the actor. */
  readonly title: string;
  /** FLOPs of the matrix products per action; null if the run has not recorded them. */
  readonly flops: number | null;
  /** Milliseconds per action, as measured at the end of training; null if they were not. */
  readonly milliseconds: number | null;
  /** The adapter that the run used. */
  readonly adapter: string;
  /** Its scores, one per variant; empty if it is not evaluated in training. */
  readonly scores: readonly ActorScore[];
}

/** Returns the cost of every actor of a group. */
export function actorCosts({ series }: Group, scores: readonly ActorScore[]): ActorCost[] {
  return series.flatMap((each) => {
    const run = each.runs.find(({ finished }) => finished) ?? each.runs[0];
    return run.algorithm.actors.map(({ name: policy, title }) => ({
      series: each,
      policy,
      title,
      flops: run.results?.action_flops[policy] ?? null,
      milliseconds: run.results?.action_latency_ms[policy] ?? null,
      adapter: String(run.config.adapter["name"] ?? "unknown"),
      scores: scores.filter((score) => score.series === each && score.policy === policy),
    }));
  });
}

/** Returns the section, with a figure if at least two actors have a score. */
export async function costHtml(
  task: string,
  quantity: string,
  costs: readonly ActorCost[],
  place: number,
): Promise<Content> {
  const known = costs.filter(({ flops, milliseconds }) => flops !== null || milliseconds !== null);
  if (known.length === 0) return "";
  const drawn = known.flatMap(({ flops, scores }) =>
    flops === null ? [] : scores.map((score) => ({ flops, score }))
  );
  return html`
        <h3>Cost per action</h3>
        ${table(
          ["series", "policy", "FLOPs per action", "ms per action", "training adapter"],
          known.map(({ series, title, flops, milliseconds, adapter }) => [
            series.name,
            title,
            flops?.toLocaleString("en-US") ?? "–",
            milliseconds?.toPrecision(3) ?? "–",
            adapter,
          ]),
        )}<p
      class="note">FLOPs count the matrix products. Times are of one action at a time, measured
    on the training machine at the end of the run.</p>
        ${drawn.length > 1
          ? await figureHtml(`cost-${place + 1}`, costFigure(task, quantity, drawn))
          : ""}
  `;
}
