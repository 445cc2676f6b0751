/**
 * Losses. Each computes its value and its gradients in one dispatch, a workgroup to a replica, and
 * sums in a fixed tree.
 *
 * @module
 */
import awrSource from "../../../shaders/awr_loss.wgsl" with { type: "text" };
import expectileSource from "../../../shaders/expectile_loss.wgsl" with { type: "text" };
import nanSource from "../../../shaders/nan.wgsl" with { type: "text" };
import reduceSource from "../../../shaders/reduce.wgsl" with { type: "text" };
import scheduleSource from "../../../shaders/schedule.wgsl" with { type: "text" };
import squaredErrorSource from "../../../shaders/squared_error.wgsl" with { type: "text" };
import srpoSource from "../../../shaders/srpo_loss.wgsl" with { type: "text" };
import stepSource from "../../../shaders/step.wgsl" with { type: "text" };
import tdSource from "../../../shaders/td_loss.wgsl" with { type: "text" };
import type { KernelSpec } from "../../gpu/kernel.ts";
import type { Graph, Loss } from "../graph.ts";
import { type OperationName, registerOperation } from "../operations.ts";
import { Tensor } from "../tensor.ts";
import { shapeOf } from "./elementwise.ts";

const squaredErrorName = registerOperation("squared error");
const expectileName = registerOperation("expectile loss");
const temporalDifferenceName = registerOperation("td loss");
const advantageWeightedName = registerOperation("awr loss");
const scoreRegularizedName = registerOperation("srpo loss");

/**
 * Records a loss: one job, of one workgroup, to a replica.
 *
 * @param tensors What it touches; `policy` is the tensor it is differentiated by where its shader can go
 * on through the tanh that made it.
 */
function recordLoss(
  graph: Graph,
  replicas: number,
  kernel: KernelSpec & { readonly name: OperationName },
  tensors: { reads: readonly Tensor[]; writes: readonly Tensor[]; policy?: Tensor },
  fields: (job: number) => Record<string, number>,
): void {
  const directives: string[] = [];
  graph.record({
    name: kernel.name,
    inputs: [],
    reads: [...tensors.reads],
    writes: tensors.writes,
    absorbDerivative: (activation, saved) => {
      if (activation !== "tanh" || saved !== tensors.policy || directives.length > 0) return false;
      directives.push("TANH_DERIVATIVE");
      return true;
    },
    kernel: () => ({
      ...kernel,
      directives,
      constants: { WORKGROUP: workgroupFor(tensors.writes[0]!.rows) },
    }),
    jobs: () =>
      Array.from({ length: replicas }, (_, job) => ({
        fields: { metrics_width: graph.metricsWidth, ...fields(job) },
        tiles: 1,
      })),
  });
}

/** Invocations that share a loss: about eight rows to each, from 32 to 256 of them. */
function workgroupFor(rows: number): number {
  return Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(rows / 8))));
}

/** Job fields of a tensor: its place and, under `<name>_stride`, the distance between its rows. */
function rows(name: string, tensor: Tensor, job: number, jobs: number): Record<string, number> {
  return { [name]: tensor.at(job, jobs), [`${name}_stride`]: tensor.stride };
}

/** Job fields of one number for each row and head: the first head's place and the next's distance. */
function heads(name: string, tensor: Tensor, job: number, jobs: number): Record<string, number> {
  const first = job * (tensor.replicas / jobs);
  return {
    [name]: tensor.columnAt(first, tensor.replicas),
    [`${name}_head`]: tensor.storage.replicaSize / 4,
  };
}

function squaredError(graph: Graph, name: string, x: Tensor, goal: Tensor, scale: number): Loss {
  const gradient = new Tensor(shapeOf(x));
  const metric = graph.metric(name, x.replicas);
  recordLoss(
    graph,
    x.replicas,
    { name: squaredErrorName, source: stepSource + reduceSource + squaredErrorSource },
    { reads: [x, goal], writes: [gradient] },
    (job) => ({
      rows: x.rows,
      width: x.width / 4,
      scale,
      ...rows("x", x, job, x.replicas),
      ...rows("goal", goal, job, x.replicas),
      ...rows("gradient", gradient, job, x.replicas),
      metric: metric.index + job,
    }),
  );
  return { metric, gradients: new Map([[x, gradient]]) };
}

/** Mean squared error over all entries of x and target, both `[R, rows, columns]`. */
export function meanSquaredError(graph: Graph, name: string, x: Tensor, target: Tensor): Loss {
  return squaredError(graph, name, x, target, 1 / (x.rows * x.columns));
}

/** Diffusion loss (Eq. 13): mean over rows of |ε̂ − z|², both `[R, rows, columns]`. */
export function diffusionLoss(graph: Graph, name: string, noiseHat: Tensor, z: Tensor): Loss {
  return squaredError(graph, name, noiseHat, z, 1 / noiseHat.rows);
}

/**
 * Expectile regression (Eq. 11) of v `[R, rows, 1]` towards the smallest head of q `[H·R, rows, 1]`.
 * Also reports `q_mean`, the mean of that smallest head. Differentiable by v.
 */
export function expectileLoss(graph: Graph, name: string, q: Tensor, v: Tensor, tau: number): Loss {
  const gradient = new Tensor(shapeOf(v));
  const metric = graph.metric(name, v.replicas);
  const qMetric = graph.metric("q_mean", v.replicas);
  recordLoss(
    graph,
    v.replicas,
    { name: expectileName, source: stepSource + reduceSource + nanSource + expectileSource },
    { reads: [q, v], writes: [gradient] },
    (job) => ({
      rows: v.rows,
      heads: q.replicas / v.replicas,
      tau,
      ...heads("q", q, job, v.replicas),
      v: v.columnAt(job, v.replicas),
      gradient: gradient.at(job, v.replicas),
      metric: metric.index + job,
      q_metric: qMetric.index + job,
    }),
  );
  return { metric, gradients: new Map([[v, gradient]]) };
}

/** What a temporal difference needs, each `[R, rows, 1]`. */
export interface Transition {
  /** r */
  readonly reward: Tensor;
  /** 1 where the episode ended in a terminal state. */
  readonly terminal: Tensor;
  /** V(s'). */
  readonly nextValue: Tensor;
}

/**
 * Temporal difference loss (Eq. 12) of every head of q `[H·R, rows, 1]` towards r + γ (1 − d) V(s'),
 * the mean over heads and rows. Also reports `v_mean`, the mean of V(s'). Differentiable by q.
 */
export function temporalDifferenceLoss(
  graph: Graph,
  name: string,
  q: Tensor,
  { reward, terminal, nextValue }: Transition,
  gamma: number,
): Loss {
  const gradient = new Tensor(shapeOf(q));
  const replicas = reward.replicas;
  const metric = graph.metric(name, replicas);
  const vMetric = graph.metric("v_mean", replicas);
  recordLoss(
    graph,
    replicas,
    { name: temporalDifferenceName, source: stepSource + reduceSource + tdSource },
    { reads: [q, reward, terminal, nextValue], writes: [gradient] },
    (job) => ({
      rows: q.rows,
      heads: q.replicas / replicas,
      gamma,
      ...heads("q", q, job, replicas),
      reward: reward.columnAt(job, replicas),
      terminal: terminal.columnAt(job, replicas),
      next_v: nextValue.columnAt(job, replicas),
      ...heads("gradient", gradient, job, replicas),
      metric: metric.index + job,
      v_metric: vMetric.index + job,
    }),
  );
  return { metric, gradients: new Map([[q, gradient]]) };
}

/** Advantage weights: w = min(exp(temperature · A), limit). */
export interface AdvantageWeights {
  /** Factor of the advantage in the exponent. */
  readonly temperature: number;
  /** Largest weight. */
  readonly limit: number;
}

/**
 * Advantage-weighted regression of a policy `[R, rows, actions]` towards the data's actions, with
 * A = min over heads of q `[H·R, rows, 1]` − v `[R, rows, 1]`. Differentiable by the policy.
 */
export function advantageWeightedLoss(
  graph: Graph,
  name: string,
  policy: Tensor,
  action: Tensor,
  { q, v }: { q: Tensor; v: Tensor },
  { temperature, limit }: AdvantageWeights,
): Loss {
  const gradient = new Tensor(shapeOf(policy));
  const { replicas } = policy;
  const metric = graph.metric(name, replicas);
  recordLoss(
    graph,
    replicas,
    { name: advantageWeightedName, source: stepSource + reduceSource + nanSource + awrSource },
    { reads: [policy, action, q, v], writes: [gradient], policy },
    (job) => ({
      rows: policy.rows,
      width: policy.width / 4,
      heads: q.replicas / v.replicas,
      temperature,
      limit,
      ...heads("q", q, job, replicas),
      v: v.columnAt(job, replicas),
      ...rows("policy", policy, job, replicas),
      ...rows("action", action, job, replicas),
      ...rows("gradient", gradient, job, replicas),
      metric: metric.index + job,
    }),
  );
  return { metric, gradients: new Map([[policy, gradient]]) };
}

/** ω(t), the weight of the behavior score at a diffusion time. */
export type Weighting = "sigma2" | "constant" | "alpha_over_sigma";

const weightings: readonly Weighting[] = ["sigma2", "constant", "alpha_over_sigma"];

/** How a replica's policy is regularised. */
export interface ScoreRegularization {
  /** Temperature β: larger is greedier. */
  readonly beta: number;
  /** ω(t). */
  readonly weighting: Weighting;
  /** Whether the noise ε is subtracted from its prediction (Eq. 15). */
  readonly subtractBaseline: boolean;
  /** Whether ∇Q is divided by its root mean square (β_norm, Appendix C). */
  readonly normalizeQ: boolean;
}

/** What the score-regularized loss is computed from, all constants to the gradient. */
export interface ScoreTerms {
  /** ε̂(a_t | s, t), `[R, rows, actions]`. */
  readonly noiseHat: Tensor;
  /** ε, `[R, rows, actions]`. */
  readonly z: Tensor;
  /** t, `[R, rows, 1]`. */
  readonly t: Tensor;
  /** ∇_a Q, `[R, rows, actions]`. */
  readonly qGradient: Tensor;
  /** Q of every head, `[H·R, rows, 1]`, for the metric `q_mean` (the mean over heads). */
  readonly q: Tensor;
}

/**
 * The score-regularized objective (Eq. 15), differentiable by the action `[R, rows, actions]`; see
 * `shaders/srpo_loss.wgsl`. Its sign is a loss's: it is minimised.
 */
export function scoreRegularizedLoss(
  graph: Graph,
  name: string,
  action: Tensor,
  { noiseHat, z, t, qGradient, q }: ScoreTerms,
  regularization: (replica: number) => ScoreRegularization,
): Loss {
  const gradient = new Tensor(shapeOf(action));
  const { replicas } = action;
  const metric = graph.metric(name, replicas);
  const qMetric = graph.metric("q_mean", replicas);
  recordLoss(
    graph,
    replicas,
    { name: scoreRegularizedName, source: stepSource + reduceSource + scheduleSource + srpoSource },
    { reads: [action, noiseHat, z, t, qGradient, q], writes: [gradient], policy: action },
    (job) => {
      const { beta, weighting, subtractBaseline, normalizeQ } = regularization(job);
      return {
        rows: action.rows,
        columns: action.columns,
        heads: q.replicas / replicas,
        beta,
        weighting: weightings.indexOf(weighting),
        baseline: subtractBaseline ? 1 : 0,
        normalize: normalizeQ ? 1 : 0,
        ...rows("action", action, job, replicas),
        ...rows("noise_hat", noiseHat, job, replicas),
        ...rows("z", z, job, replicas),
        ...rows("q_gradient", qGradient, job, replicas),
        t: t.columnAt(job, replicas),
        ...heads("q", q, job, replicas),
        ...rows("gradient", gradient, job, replicas),
        metric: metric.index + job,
        q_metric: qMetric.index + job,
      };
    },
  );
  return { metric, gradients: new Map([[action, gradient]]) };
}
