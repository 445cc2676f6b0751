/**
 * `eval`: measures a policy's returns in its environment and its time per action.
 *
 * @module
 */
import { type Placed, Placement } from "../nn/placement.ts";
import { algorithms } from "../algorithms/registry.ts";
import { type PaperScore, paperScoreText, tasks } from "../data/catalog.ts";
import { mostUndelayed, openEnvironment } from "../envs/bridge/open.ts";
import type { EnvironmentSpec } from "../envs/environment.ts";
import {
  episodeScore,
  type Evaluation,
  evaluationRecord,
  type Spread,
  summarize,
} from "../envs/evaluation.ts";
import { actionLatency } from "../envs/latency.ts";
import { type Episode, isServerLost, rolloutWithRetries } from "../envs/rollout.ts";
import { referenceReturn } from "../envs/scores.ts";
import { evaluationSeeds, maxEpisodes, maxEpisodeSeed } from "../envs/seeds.ts";
import { UserError } from "../errors.ts";
import { boundsText, checkRange, isUnit, scaledPolicy } from "../nn/host/action_bounds.ts";
import { checkWritable } from "../files.ts";
import { watchInterrupt } from "../runs/interrupt.ts";
import { flopsText } from "../report/table.ts";
import { fitted } from "../terminal.ts";
import { openTrained, type TrainedPolicy } from "../runs/trained.ts";
import { TrajectoryRecorder } from "../runs/trajectories.ts";
import {
  choice,
  type Flag,
  type FlagTable,
  type FlagValues,
  integer,
  parseFlags,
  text,
  toggle,
} from "./flags.ts";
import { EpisodeProgress } from "./episode_progress.ts";
import { estimateText, fqeFlags, openEstimator } from "./eval_fqe.ts";
import { helpText } from "./help.ts";

/** What the numbers of the paper's Table 1 are. */
const paperNote = "mean, with the standard deviation over seeds where the table has it";

/** All actors of all algorithms. */
const everyActor = [...algorithms.values()].flatMap(({ actors }) => actors);

const command = {
  name: "eval",
  summary:
    "Plays episodes with a trained policy and reports their returns and D4RL score, or estimates " +
    "its return from data.",
  positionals: [{
    name: "run",
    help:
      "A run directory, or a .safetensors file with an actor (docs/policies.md): net.0.weight, " +
      "net.0.bias, net.2.weight, …, with ReLU between layers and tanh at the output unless its " +
      "metadata say otherwise",
  }],
  flags: {
    task: text("Environment: a D4RL task or another environment id of the server", {
      valueName: "TASK",
      shown: "the run's task, or the one in the file's metadata",
    }),
    env: text("Environment id, if it is not a D4RL task, for example Pendulum-v1", {
      valueName: "ID",
    }),
    episodes: integer("Number of episodes; 0 plays none, for --fqe", {
      max: maxEpisodes,
      fallback: 20,
    }),
    seed: integer("Selects the episodes' seeds, which never coincide with training seeds", {
      max: maxEpisodeSeed,
      fallback: 0,
    }),
    server: text(
      "Environment server: wasm (built in, started as a separate process), python (bridge/), or " +
        "the URL of a running server",
      { valueName: "wasm|python|ws://…", shown: "wasm, or the server recorded with the policy" },
    ),
    token: text("Token of a running server, if its URL does not contain it", {
      valueName: "TOKEN",
    }),
    profile: choice("Physics of the built-in server", ["mjpy", "mj22"], {
      shown: "the one behind the task's published results",
    }),
    policy: choice(
      `Actor of the run. ${actorsText()}`,
      [...new Set(everyActor.flatMap(({ name, formerName }) => [name, formerName ?? name]))],
      { shown: "the algorithm's own" },
    ),
    ...optionFlags(),
    ...fqeFlags,
    retry: integer("Number of times to replay a lost server's episodes on a new server", {
      max: 1000,
      fallback: 0,
    }),
    record: text(
      "Write the simulator's positions (qpos) at each step to this safetensors file, as " +
        "episode.0.qpos [steps + 1, positions], …",
      { valueName: "FILE" },
    ),
    video: text(
      "Write a video of the first episode: an .mp4 file, or a folder of numbered PNG files",
      { valueName: "FILE.mp4|DIR" },
    ),
    json: toggle("Print one JSON object as the last line"),
  },
} as const;

/** Maximum number of environments to step together. More save few messages but take more memory. */
const largestBatch = 50;

/** Maximum milliseconds to compute one step's actions. A server drops clients silent for longer. */
const longestAct = 10_000;

/**
 * Returns how many environments to step together, so that the rounds of episodes have about the
 * same size.
 *
 * @param latency Milliseconds per action.
 */
function batchSize(episodes: number, actionSize: number, latency: number): number {
  const largest = Math.min(
    largestBatch,
    mostUndelayed(actionSize),
    Math.floor(longestAct / latency),
  );
  const rounds = Math.ceil(episodes / Math.max(1, largest));
  return Math.ceil(episodes / rounds);
}

/**
 * Evaluates a policy. WebGPU is loaded only if one of the run's actors benefits from it.
 *
 * @throws {UserError} If a flag is invalid, the task is unknown, a checkpoint is missing, the
 * policy's sizes do not match the environment's, or the server is lost and no retry is left.
 */
export async function evaluate(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { flags } = parsed;
  const path = parsed.positionals[0]!;
  const trained = openTrained(path);
  if (flags.task !== undefined && flags.env !== undefined) {
    throw new UserError("--task and --env both name the environment; give only one of them");
  }
  const task = flags.env ?? flags.task ?? trained.task;
  if (flags.episodes === 0 && flags.fqe === undefined) {
    throw new UserError("--episodes 0 plays nothing; --fqe DATA estimates the return from data");
  }
  if (task === null && flags.episodes > 0) {
    throw new UserError(
      `${path} does not name the environment it was trained for; give --task, or --env and ` +
        "--server if it is not a D4RL task",
    );
  }
  const server = flags.server ?? (task === trained.task ? trained.server : null) ?? "wasm";
  const options = optionsOf(flags);
  const loaded = trained.load(flags.policy ?? null, options);
  const { way, files } = loaded;
  if (way !== null && flags.policy !== undefined && way !== flags.policy) {
    console.log(`note: --policy ${flags.policy} is now called ${way}`);
  }
  const estimator = await openEstimator(flags);
  const seeds = evaluationSeeds(flags.seed, flags.episodes);
  if (flags.record !== undefined) await checkWritable(flags.record);
  const recorder = flags.record === undefined ? null : new TrajectoryRecorder();
  const film = flags.video === undefined || task === null
    ? null
    : await (await import("./eval_video.ts")).EpisodeFilm.begin(flags.video, task);
  const watching = [recorder, film?.observer].filter((each) => each != null);

  await using placement = new Placement({
    memory: async () => new (await import("../runs/variant_memory.ts")).VariantFile(),
  });
  const actors = new Map<string, MeasuredActor>();
  for (const each of trained.ways.length > 0 ? trained.ways : [null]) {
    const placed = await placement.place(trained.load(each, options));
    actors.set(each ?? "file", { ...placed, latency: await actionLatency(placed.policy) });
  }
  const { policy: acting, latency } = actors.get(way ?? "file")!;
  const { actionBounds } = loaded;
  if (task === null || flags.episodes === 0) {
    using interrupt = watchInterrupt("stopping the estimate");
    const estimate = await estimator!(acting, interrupt.signal);
    console.log(`policy       ${way === null ? "" : `${way}, `}${files.join(" and ")}`);
    console.log(fitted(estimateText(estimate)));
    if (flags.json) {
      console.log(JSON.stringify({ task, policy: way ?? "file", files, fqe: estimate }));
    }
    return;
  }
  const policy = actionBounds === null ? acting : scaledPolicy(acting, actionBounds);
  const count = batchSize(seeds.length, policy.actionSize, latency);

  let spec: EnvironmentSpec | undefined;
  let progress: EpisodeProgress | undefined;
  const playing = rolloutWithRetries(
    {
      connect: async () => {
        const { token, profile } = flags;
        const connection = await openEnvironment({ server, token, profile }, task, count);
        if (spec === undefined) {
          spec = connection.environment.spec;
          console.log(fitted(heading(spec, loaded, seeds, actors, connection.note)));
          progress = new EpisodeProgress(seeds.length, spec.maxEpisodeSteps);
        }
        return connection;
      },
      retries: flags.retry,
      announce: ({ message }, left) =>
        console.error(`${message}\nreplaying ${left} episodes on a new server`),
    },
    policy,
    seeds,
    {
      ...(watching.length === 0 ? {} : {
        begin: (episode: number) => watching.forEach((each) => each.begin(episode)),
        positions: (playing: readonly number[], qpos: Float64Array) =>
          watching.forEach((each) => each.positions(playing, qpos)),
      }),
      step: (playing) => progress!.step(playing),
      end: (i, episode) => {
        progress!.end(episode);
        console.log(episodeLine(i, episode, task, reference(spec!, task)));
      },
    },
  );
  using interrupt = watchInterrupt("stopping the evaluation");
  const stopped = new Promise<never>((_, reject) => {
    interrupt.signal.addEventListener("abort", () => reject(interrupt.signal.reason));
  });
  const episodes = await Promise.race([playing, stopped]).catch((error) => {
    if (!isServerLost(error)) throw error;
    throw new UserError(`${error.message}; use --retry N to replay them on a new server`);
  });
  const found = summarize(task, episodes, reference(spec!, task));
  if (recorder !== null) {
    await recorder.write(flags.record!, spec!, episodes);
    console.log(`wrote the positions of every step to ${flags.record}`);
  }
  await film?.write(episodes[0]!);
  const published = loaded.column === undefined
    ? undefined
    : tasks.get(task)?.paperScores[loaded.column];
  console.log(fitted(report(found)));
  if (published !== undefined) {
    console.log(
      `paper        ${paperScoreText(published)} (${loaded.column}, Table 1: ${paperNote})`,
    );
  }
  const estimate = await estimator?.(acting, interrupt.signal);
  if (estimate !== undefined) console.log(fitted(estimateText(estimate)));
  if (flags.json) {
    const json = toJson(task, way, files, spec!, found, actors, published);
    console.log(JSON.stringify(estimate === undefined ? json : { ...json, fqe: estimate }));
  }
}

/** An actor with its measured latency. */
interface MeasuredActor extends Placed {
  /** Milliseconds per action. */
  readonly latency: number;
}

/** Describes each algorithm's actors for `--help`. */
function actorsText(): string {
  return [...algorithms.values()].map(({ title, actors }) =>
    `${title}: ${actors.map(({ name, help }) => `${name} (${help})`).join(", ")}`
  ).join(". ");
}

/** Returns a flag for every option of every actor. Options with the same name share a flag. */
function optionFlags(): Record<string, Flag<number | undefined>> {
  const options = everyActor.flatMap(({ options }) => Object.entries(options));
  return Object.fromEntries(
    [...Map.groupBy(options, ([name]) => name)].map(([name, entries]) => {
      const of = entries.map(([, option]) => option);
      return [
        name,
        integer(of.map(({ help }) => help).join(". "), {
          min: Math.min(...of.map(({ min }) => min)),
          max: Math.max(...of.map(({ max }) => max)),
          shown: of.map(({ fallback }) => fallback).join(", "),
        }),
      ];
    }),
  );
}

/** Returns the given actor options. */
function optionsOf(flags: FlagValues<FlagTable>): Record<string, number | undefined> {
  const names = everyActor.flatMap(({ options }) => Object.keys(options));
  return Object.fromEntries(names.map((name) => [name, flags[name] as number | undefined]));
}

/** Returns the server's reference returns. Defaults to those of the built-in environment. */
function reference(spec: EnvironmentSpec, task: string) {
  return spec.referenceReturn ?? referenceReturn(task);
}

function heading(
  spec: EnvironmentSpec,
  { way, files, network, notes, actionBounds }: TrainedPolicy,
  seeds: readonly number[],
  actors: ReadonlyMap<string, MeasuredActor>,
  note: string | null,
): string {
  const [base] = actors.values();
  const costs = [...actors].map(([way, { latency, adapter, reason, policy: { flops } }]) => {
    const relative = (value: number, to: number) =>
      actors.size > 1 ? ` (${factor(value / to)}×)` : "";
    return `${way} ${latency.toPrecision(3)} ms${relative(latency, base!.latency)}` +
      (flops === undefined
        ? ""
        : `, ${flopsText(flops)}${relative(flops, base!.policy.flops ?? flops)}`) +
      (adapter === null ? "" : `, on ${adapter}`) +
      (reason === null ? "" : `, on the CPU: ${reason}`);
  });
  const versions = Object.entries(spec.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `environment  ${spec.id} (${versions.join(", ")})`,
    `policy       ${way === null ? "" : `${way}, `}${files.join(" and ")}`,
    ...(network === undefined ? [] : [`network      ${network}`]),
    ...costs.map((cost, i) => `${i === 0 ? "one action  " : "            "} ${cost}`),
    `seeds        ${seeds[0]}` + (seeds.length > 1 ? ` to ${seeds.at(-1)}` : ""),
  ];
  const range = { low: spec.actionLow, high: spec.actionHigh };
  if (note !== null) lines.push(`note: ${note}`);
  checkRange(files.join(" and "), actionBounds, range, spec.id);
  if (actionBounds !== null) {
    if (network === undefined) lines.push(`actions      scaled to ${boundsText(actionBounds)}`);
  } else if (!isUnit(range)) {
    lines.push(
      "note: the environment's actions do not range from -1 to 1, but the policy's actions are " +
        "not scaled",
    );
  }
  lines.push(...notes.map((note) => `note: ${note}`));
  return lines.join("\n") + "\n";
}

function episodeLine(
  index: number,
  episode: Episode,
  task: string,
  references: ReturnType<typeof reference>,
): string {
  const score = episodeScore(task, episode, references);
  return [
    `episode ${String(index + 1).padStart(3)}`,
    `seed ${episode.seed}`,
    `return ${decimals(episode.return)(episode.return).padStart(8)}`,
    `length ${String(episode.length).padStart(4)}`,
    ...(score === null ? [] : [`score ${score.toFixed(1).padStart(5)}`]),
    ...(episode.reachedGoal === null
      ? []
      : [episode.reachedGoal ? "reached the goal" : "did not reach the goal"]),
  ].join("  ");
}

function report(found: Evaluation): string {
  const { reachedGoal, score } = found;
  const spread = ({ mean, std }: Spread) => `${decimals(mean)(mean)} ± ${decimals(mean)(std)}`;
  const lines = [
    "",
    `return       ${spread(found.return)} (mean ± standard deviation over ${
      count(found.episodes.length)
    })`,
    `length       ${spread(found.length)}`,
  ];
  if (score !== null) {
    lines.push(`D4RL score   ${score.mean.toFixed(1)} ± ${score.std.toFixed(1)}`);
  }
  if (reachedGoal !== null) {
    lines.push(
      `goal         reached from outside in ${reachedGoal} of ${count(found.episodes.length)}`,
    );
  }
  return lines.join("\n");
}

/** Returns `1 episode`, `20 episodes`. */
function count(episodes: number): string {
  return `${episodes} episode${episodes === 1 ? "" : "s"}`;
}

function factor(ratio: number): string {
  return ratio < 10 ? ratio.toFixed(1) : ratio.toFixed(0);
}

/** Returns a formatter with three decimals for magnitudes below 10, and one decimal otherwise. */
function decimals(size: number): (value: number) => string {
  return (value) => value.toFixed(Math.abs(size) < 10 ? 3 : 1);
}

/** Returns the output of `--json`. */
function toJson(
  task: string,
  way: string | null,
  files: readonly string[],
  spec: EnvironmentSpec,
  found: Evaluation,
  actors: ReadonlyMap<string, MeasuredActor>,
  published: PaperScore | undefined,
) {
  const ofEach = <T>(value: (actor: MeasuredActor) => T) =>
    Object.fromEntries([...actors].map(([name, actor]) => [name, value(actor)]));
  return {
    task,
    policy: way ?? "file",
    files,
    ...evaluationRecord(task, found, reference(spec, task)),
    paper_score: published ?? null,
    action_latency_ms: ofEach(({ latency }) => latency),
    action_flops: ofEach(({ policy }) => policy.flops ?? null),
    adapter: ofEach(({ adapter }) => adapter),
    versions: spec.versions,
  };
}
