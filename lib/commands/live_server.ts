/**
 * The server of `train --live`: a page with the curves, the progress and an episode of the policy.
 * It listens on the loopback interface only, and its address contains a secret token.
 *
 * @module
 */
import type { LiveEpisode, LiveRun, LiveStatus } from "../report/live_message.ts";
import { MetricsFollower } from "../runs/metrics_follower.ts";
import { LoopbackServer, respond } from "./loopback_server.ts";

/** Time between two looks at the metrics file, in milliseconds. */
const tickMilliseconds = 1000;

const noStages: readonly LiveStatus[] = [];

/** A page that follows the run. */
interface Viewer {
  readonly follower: MetricsFollower;
  readonly stream: ReadableStreamDefaultController<Uint8Array>;
  /** The stages and the episode that it has. */
  stages: readonly LiveStatus[];
  episode: unknown;
}

/** Serves the live page of a run until it is closed. */
export class LiveServer implements AsyncDisposable {
  /** Address of the page, with the token. */
  readonly address: string;
  readonly #run: LiveRun;
  readonly #metrics: string;
  readonly #server: LoopbackServer;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #viewers = new Set<Viewer>();
  readonly #encoder = new TextEncoder();
  /** The stages that have begun, in the order of the run. */
  #stages = noStages;
  #episode: LiveEpisode | null = null;
  #ending = "The run has ended.";

  /**
   * Starts the server on a free port.
   *
   * @param metrics Path of `metrics.jsonl`, which need not exist yet.
   */
  constructor(run: LiveRun, metrics: string) {
    this.#run = run;
    this.#metrics = metrics;
    this.#server = new LoopbackServer((name) => this.#answer(name));
    this.address = this.#server.address;
    this.#timer = setInterval(() => this.#tick(), tickMilliseconds);
  }

  /** Sets the progress of a stage. Viewers get it with the next tick. */
  observe(status: LiveStatus): void {
    const place = ({ stage }: LiveStatus) => this.#run.stages.indexOf(stage);
    this.#stages = [...this.#stages.filter(({ stage }) => stage !== status.stage), status]
      .toSorted((a, b) => place(a) - place(b));
  }

  /** Sets the episode that viewers see, from the next tick on. */
  show(episode: LiveEpisode): void {
    this.#episode = episode;
  }

  /** Sets the text that viewers see when the server closes. */
  set ending(text: string) {
    this.#ending = text;
  }

  /** Sends the last rows and the end to all viewers, and stops the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#tick();
    for (const viewer of this.#viewers) {
      this.#send(viewer, "end", JSON.stringify({ text: this.#ending }));
      viewer.stream.close();
    }
    this.#viewers.clear();
    await this.#server[Symbol.asyncDispose]();
  }

  async #answer(name: string): Promise<Response | null> {
    switch (name) {
      case "": {
        const { livePage } = await import("../report/live_page.ts");
        return respond("text/html; charset=utf-8", livePage());
      }
      case "client.js": {
        const { liveScript } = await import("../report/live_page.ts");
        return respond("text/javascript; charset=utf-8", await liveScript());
      }
      case "events":
        return respond("text/event-stream; charset=utf-8", this.#events());
      default:
        return null;
    }
  }

  #events(): ReadableStream<Uint8Array> {
    let viewer: Viewer;
    return new ReadableStream({
      start: (stream) => {
        const follower = new MetricsFollower(this.#metrics);
        viewer = { follower, stream, stages: noStages, episode: null };
        this.#send(viewer, "run", JSON.stringify(this.#run));
        this.#viewers.add(viewer);
        this.#update(viewer);
      },
      cancel: () => void this.#viewers.delete(viewer),
    });
  }

  #tick(): void {
    for (const viewer of this.#viewers) this.#update(viewer);
  }

  /** Sends a viewer what it does not have yet. */
  #update(viewer: Viewer): void {
    // A viewer that does not keep up gets the rows later.
    if ((viewer.stream.desiredSize ?? 0) < -queuedMessages) return;
    const { restarted, lines } = viewer.follower.read();
    if (restarted) this.#send(viewer, "restart", "null");
    // The lines are JSON already.
    if (lines.length > 0) this.#send(viewer, "rows", `[${lines.join(",")}]`);
    if (viewer.stages !== this.#stages) {
      viewer.stages = this.#stages;
      this.#send(viewer, "stages", JSON.stringify(this.#stages));
    }
    if (viewer.episode !== this.#episode) {
      viewer.episode = this.#episode;
      this.#send(viewer, "episode", JSON.stringify(this.#episode));
    }
  }

  #send(viewer: Viewer, event: string, json: string): void {
    viewer.stream.enqueue(this.#encoder.encode(`event: ${event}\ndata: ${json}\n\n`));
  }
}

/** Messages that may wait for a viewer. */
const queuedMessages = 16;
