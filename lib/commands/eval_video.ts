/**
 * `eval --video`: writes a video of the first episode.
 *
 * @module
 */
import { join } from "node:path";
import { environments } from "../envs/ids.ts";
import { PositionRecorder } from "../envs/position_recorder.ts";
import type { Episode } from "../envs/rollout.ts";
import { solidsOf } from "../envs/solids.ts";
import { UserError } from "../errors.ts";
import { checkWritable, makeFolder } from "../files.ts";
import { figurePixels, figurePng } from "../report/figure_png.ts";
import { filmOf, filmSize } from "../report/film.ts";
import { mp4Of } from "../report/mp4.ts";
import { Progress, standardError } from "../runs/progress.ts";
import { writeAtomic } from "../runs/files.ts";

/** The video of the first episode of an evaluation. */
export class EpisodeFilm {
  /** Collects the positions during the evaluation. */
  readonly observer = new PositionRecorder(1);
  readonly #path: string;
  readonly #id: string;

  private constructor(path: string, id: string) {
    this.#path = path;
    this.#id = id;
  }

  /**
   * Prepares the video.
   *
   * @throws {UserError} The environment is not a built-in one, or the path has another extension or
   * cannot be written.
   */
  static async begin(path: string, id: string): Promise<EpisodeFilm> {
    if (!environments.has(id)) {
      throw new UserError(
        `--video shows the built-in environments (hopper, walker2d, halfcheetah, ant, antmaze and ` +
          `maze2d), not "${id}"`,
      );
    }
    if (path.endsWith(".mp4")) await checkWritable(path);
    else if (/\.(avi|gif|m4v|mkv|mov|mp4|mpe?g|png|webm)$/i.test(path)) {
      throw new UserError(
        `--video ${path}: expected a file that ends in .mp4, or the name of a folder for PNG files`,
      );
    } else makeFolder(path);
    return new EpisodeFilm(path, id);
  }

  /**
   * Writes the video.
   *
   * @param signal Stops it between two frames.
   * @throws {UserError} The path cannot be written, or the signal's reason.
   */
  async write({ seed, return: total }: Episode, signal: AbortSignal): Promise<void> {
    const qpos = this.observer.qpos[0]!;
    const steps = qpos.length - 1;
    const film = filmOf(
      await solidsOf(this.#id, qpos),
      (step) => `${this.#id}, seed ${seed}: step ${step} of ${steps}, return ${total.toFixed(1)}`,
    );
    const line = new Progress("video", film.frames.length, standardError());
    if (this.#path.endsWith(".mp4")) {
      await writeAtomic(
        this.#path,
        await mp4Of(filmSize, film.frameRate, pixels(film.frames, line, signal)),
      );
    } else {
      for (const [i, frame] of film.frames.entries()) {
        await passSignals(signal);
        const name = `frame-${String(i).padStart(4, "0")}.png`;
        await writeAtomic(join(this.#path, name), await figurePng(frame, 1));
        line.update(i + 1, {});
      }
    }
    line.clear();
    console.log(
      `wrote the first episode to ${this.#path}: ${film.frames.length} frames, ` +
        `${Math.round(film.frameRate)} per second`,
    );
  }
}

/**
 * Waits for pending signals, which do not arrive while frames are drawn. Throws if one stops the
 * video.
 */
async function passSignals(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal.throwIfAborted();
}

async function* pixels(
  frames: readonly string[],
  line: Progress,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const [i, frame] of frames.entries()) {
    await passSignals(signal);
    yield await figurePixels(frame);
    line.update(i + 1, {});
  }
}
