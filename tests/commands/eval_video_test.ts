import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { evaluate } from "../../lib/commands/eval.ts";
import { solidsOf } from "../../lib/envs/solids.ts";
import { makeEnvironment } from "../../lib/envs/registry.ts";
import { UserError } from "../../lib/errors.ts";
import { Camera } from "../../lib/report/camera.ts";
import { filmOf, filmSize } from "../../lib/report/film.ts";
import { mp4Of } from "../../lib/report/mp4.ts";
import { encode } from "../../lib/runs/safetensors.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";
import { mlpTensors } from "../nn/host/networks.ts";
import { chromiumTest } from "../support/chromium.ts";
import { printed } from "./printed.ts";

const ignore = (["read", "write", "run", "net"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

/** Writes an untrained hopper, which falls soon. */
function writeHopper(folder: string): string {
  const path = join(folder, "hopper.safetensors");
  Deno.writeFileSync(path, encode(mlpTensors("net", 11, 8, 3), { task: "hopper" }));
  return path;
}

Deno.test("Camera.project(): the target is in the middle, and sizes shrink with the distance", () => {
  const camera = new Camera([0, -4, 1], [0, 0, 1], { width: 200, height: 100 }, 90);
  const { x, y, depth, scale } = camera.project([0, 0, 1]);
  assertEquals([x, y, depth], [100, 50, 4]);
  assertAlmostEquals(scale, 12.5); // 100 pixels show 8 m at a distance of 4 m
  const right = camera.project([2, 4, 2]);
  assertAlmostEquals(right.x, 100 + 2 * 6.25);
  assertAlmostEquals(right.y, 50 - 6.25);
});

Deno.test({
  name: "solidsOf(): gives the steps' duration, and limbs where MuJoCo has them",
  ignore: !mayUseFiles,
  fn: async () => {
    for (
      const [id, seconds, limbs] of [["hopper", 0.008, 4], ["maze2d-umaze-v1", 0.01, 1]] as const
    ) {
      const environment = await makeEnvironment(id, 1);
      await environment.reset([3]);
      const { qpos } = (await environment.state())!;
      const solids = await solidsOf(id, [qpos, qpos]);
      assertAlmostEquals(solids.stepSeconds, seconds, 1e-12);
      assertEquals(solids.poses.map((pose) => pose.length), [limbs, limbs]);
      const film = filmOf(solids, (step) => `step ${step}`);
      assertAlmostEquals(film.frameRate, 25, 1e-6);
      assert(film.frames.at(-1)!.includes("step 1"));
      if (id === "hopper") {
        const [a, b] = solids.poses[0]![0]!.ends;
        assertAlmostEquals(Math.hypot(...a.map((at, i) => at - b[i]!)), 0.4, 1e-12);
        assertEquals([solids.walls.length, solids.goal], [0, null]);
      } else assert(solids.walls.length > 10 && solids.goal !== null);
      await environment.close();
    }
  },
});

Deno.test("mp4Of(): passes on the error that ends the frames", async () => {
  const size = { width: 32, height: 32 };
  async function* frames() {
    yield await Promise.resolve(new Uint8Array(4 * size.width * size.height));
    throw new UserError("stopped by a signal");
  }
  await assertRejects(() => mp4Of(size, 25, frames()), UserError, "stopped by a signal");
});

Deno.test({
  name: "eval --video: a folder gets numbered pictures of the first episode",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const path = writeHopper(folder);
      const frames = join(folder, "frames");
      const output = await printed(() =>
        evaluate([path, "--episodes", "2", "--video", frames, "--json"])
      );
      const { episodes } = JSON.parse(output.split("\n").at(-1)!);
      const names = [...Deno.readDirSync(frames)].map(({ name }) => name).toSorted();
      // Every fifth step of 8 ms, the start and the end.
      assertEquals(
        names.length,
        Math.floor(episodes[0].length / 5) + 1 +
          Number(episodes[0].length % 5 > 0),
      );
      assertEquals(names[0], "frame-0000.png");
      const { buffer } = Deno.readFileSync(join(frames, names[0]!));
      const view = new DataView(buffer);
      assertEquals([view.getUint32(16), view.getUint32(20)], [filmSize.width, filmSize.height]);
      await assertRejects(
        () => evaluate([path, "--video", join(folder, "film.avi")]),
        UserError,
        "expected a file that ends in .mp4, or the name of a folder",
      );
      await assertRejects(
        () => evaluate([path, "--video", join("/dev/null", "film")]),
        UserError,
        "/dev/null/film: cannot be written",
      );
      await assertRejects(
        () => evaluate([path, "--env", "Pendulum-v1", "--video", frames]),
        UserError,
        "--video shows the built-in environments",
      );
    }),
});

chromiumTest(
  "eval --video: Chromium plays the MP4 file at its size and in real time",
  (browser) =>
    withFolder(async (folder) => {
      const file = join(folder, "film.mp4");
      const path = writeHopper(folder);
      const output = await printed(() =>
        evaluate([path, "--episodes", "1", "--video", file, "--json"])
      );
      const { episodes } = JSON.parse(output.split("\n").at(-1)!);
      const page = await browser.newPage();
      const source = `data:video/mp4;base64,${Deno.readFileSync(file).toBase64()}`;
      const played = await page.evaluate(
        `new Promise((resolve, reject) => {
        const video = document.createElement("video");
        video.onerror = () => reject(new Error(video.error.message));
        video.onended = () => {
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          context.drawImage(video, 0, 0);
          const [r, g, b] = context.getImageData(5, 5, 1, 1).data;
          resolve({ size: [video.videoWidth, video.videoHeight], sky: [r, g, b],
            seconds: video.duration });
        };
        video.muted = true;
        video.src = ${JSON.stringify(source)};
        video.play();
      })`,
      ) as { size: number[]; sky: number[]; seconds: number };
      assertEquals(played.size, [filmSize.width, filmSize.height]);
      assertAlmostEquals(played.seconds, episodes[0].length * 0.008, 0.1);
      [238, 242, 246].forEach((value, i) => assertAlmostEquals(played.sky[i]!, value, 8));
    }),
);
