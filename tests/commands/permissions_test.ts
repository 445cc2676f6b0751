import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createRequire } from "node:module";
import { join } from "node:path";
import { arch, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { commands } from "../../cli.ts";
import { faultyServer } from "../data/faulty_server.ts";
import { projectFile, withFolder } from "../data/files.ts";

const ignore = (["read", "write", "run", "net"] as const).some((name) =>
  Deno.permissions.querySync({ name }).state !== "granted"
);

/** Flags of each command in the table of docs/permissions.md. */
function documented(): Map<string, string[]> {
  const page = Deno.readTextFileSync(projectFile("docs/permissions.md"));
  const rows = [...page.matchAll(/^\| (`[^|]*`) +\| (`--[^|]*`|none) +\|$/gm)];
  return new Map(
    rows.flatMap(([, names, flags]) =>
      [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => [
        name!,
        flags === "none" ? [] : flags!.replaceAll("`", "").split(" "),
      ])
    ),
  );
}

interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** Runs the command lines one after another in one process with these flags alone. */
async function runWith(
  flags: readonly string[],
  lines: readonly (readonly string[])[],
  folder: string,
): Promise<Outcome[]> {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-prompt", ...flags],
      ...[
        `--config=${projectFile("deno.json")}`,
        projectFile("tests/commands/permissions_program.ts"),
      ],
      ...[JSON.stringify(lines), join(folder, "data")],
    ],
    cwd: folder,
    env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const reports = new TextDecoder().decode(stderr).split("\0\n");
  assertEquals(reports.length, lines.length + 1, reports.at(-1));
  return reports.slice(0, -1).map((text) => ({
    text,
    code: Number(/exit code (\d+)$/.exec(text)![1]),
  }));
}

/** A cheap call of each command, in a folder with `data/actor.safetensors` and `data/h.hdf5`. */
function calls(mirror: string): Record<string, string[]> {
  const tiny = ["critic", "behavior", "policy"].flatMap((stage) => [
    ...[`--${stage}-steps`, "2", `--${stage}-width`, "8", `--${stage}-batch-size`, "8"],
  ]);
  return {
    "train": [
      ...["data/h.hdf5", "--task", "hopper-medium-v2", "--out", "runs/r", "--preset", "quick"],
      ...[...tiny, "--eval-episodes", "1", "--matmul", "registers"],
    ],
    "data get": ["hopper-random-v2", "--mirror", mirror],
    "data list": [],
    "data inspect": ["data/h.hdf5"],
    "data collect": [
      ...["--task", "hopper-medium-v2", "--policy", "data/actor.safetensors"],
      ...["--steps", "5", "--out", "data/collected.hdf5"],
    ],
    "data check": ["data/h.hdf5", "--task", "hopper-medium-v2", "--rows", "5"],
    "data convert": ["data/minari-pendulum", "--out", "data/converted.hdf5"],
    "eval": ["runs/r", "--episodes", "1"],
    "watch": ["runs/r", "--export", "runs/site"],
    "export": ["runs/r", "--c", "runs/policy.h", "--onnx", "runs/policy.onnx"],
    "report": ["runs/r"],
    "runs": ["runs"],
    "runs compare": ["runs/r", "runs/s"],
    "runs export": ["runs/r"],
    "sweep plan": ["data/sweep.json", "--out", "runs/sweep"],
    "sweep run": ["runs/sweep"],
    "sweep status": ["runs/sweep"],
    "sweep submit": ["runs/sweep", "--slurm"],
    "bandit": ["--quick", "--out", "runs/bandit"],
    "gradcheck": [],
    "serve-env": ["--exit-with-stdin"],
  };
}

/** Path of esbuild's executable for this platform. */
function esbuild(): string {
  const { resolve } = createRequire(fileURLToPath(import.meta.resolve("esbuild")));
  return resolve(`@esbuild/${platform}-${arch}/bin/esbuild`);
}

/** Files that the calls write. */
const written = [
  ...["data/hopper_random-v2.hdf5", "data/collected.hdf5", "data/converted.hdf5"],
  ...["runs/r/policy.safetensors", "runs/r/report.html", "runs/r/metrics.csv"],
  ...["runs/policy.h", "runs/policy.onnx", "runs/bandit/8gaussians.json", "runs/site/watch.js"],
];

Deno.test({
  name: "every command runs with the permissions of docs/permissions.md, and names a missing one",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const body = Deno.readFileSync(
        projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5"),
      );
      await using server = faultyServer(() => ({ status: "200 OK", body }));
      const data = join(folder, "data");
      const pendulum = "tests/fixtures/foreign/minari-pendulum";
      await Deno.mkdir(join(data, "minari-pendulum"), { recursive: true });
      await Deno.mkdir(join(folder, "runs"));
      await Deno.writeFile(join(data, "h.hdf5"), body);
      await Deno.copyFile(
        projectFile("data/hopper-medium.safetensors"),
        join(data, "actor.safetensors"),
      );
      await Deno.writeTextFile(
        join(data, "sweep.json"),
        JSON.stringify({
          tasks: [{ file: "data/gone.hdf5", family: "maze" }],
          ...{ seeds: "0", algorithms: { iql: {} } },
        }),
      );
      // In the place of Slurm's commands.
      for (const name of ["sbatch", "squeue"]) {
        await Deno.writeTextFile(join(folder, name), "#!/bin/sh\necho 1\n", { mode: 0o755 });
      }
      for (const { name } of Deno.readDirSync(projectFile(pendulum))) {
        await Deno.copyFile(projectFile(join(pendulum, name)), join(data, "minari-pendulum", name));
      }

      const all = calls(server.url);
      const flags = documented();
      assertEquals([...flags.keys()].toSorted(), Object.keys(commands).toSorted());
      const line = (name: string) => [...name.split(" "), ...all[name]!];
      const refused = runWith([], Object.keys(all).map(line), folder);
      // Commands with the same permissions share a process; training makes the run for the others.
      const groups = Map.groupBy(flags.keys(), (name) => flags.get(name)!.join(" "));
      const run = async (names: readonly string[]) => {
        const given = flags.get(names[0]!)!.map((flag) =>
          flag.replace("=DENO", `=${Deno.execPath()}`).replace("=HOST", "=127.0.0.1")
            .replace("=ESBUILD", `=${esbuild()}`)
            .replace(",lib,shaders", `,${projectFile("lib")},${projectFile("shaders")}`)
        );
        const outcomes = await runWith(given, names.map(line), folder);
        outcomes.forEach(({ code, text }, i) => {
          if (names[i] !== "sweep run") return assertEquals(code, 0, `${names[i]}: ${text}`);
          // The process of the unit has started, and its data are missing.
          assertStringIncludes(text, "data/gone.hdf5: no such file");
        });
      };
      const first = ["train", "sweep plan"].map((name) => flags.get(name)!.join(" "));
      await run(groups.get(first[0]!)!);
      await copyRun(join(folder, "runs"));
      await run(groups.get(first[1]!)!);
      const rest = [...groups].filter(([key]) => !first.includes(key)).map(([, names]) => names);
      await Promise.all([0, 1].map(async (lane) => {
        for (const names of rest.filter((_, i) => i % 2 === lane)) await run(names);
      }));
      for (const path of written) assert(Deno.statSync(join(folder, path)).size > 0, path);

      (await refused).forEach(({ code, text }, i) => {
        const name = Object.keys(all)[i]!;
        if (flags.get(name)!.length === 0) return assertEquals(code, 0, `${name}: ${text}`);
        if (name === "data list") return; // what it may not read, it lists as missing
        assertEquals(code, 1, `${name}: ${text}`);
        assertMatch(text, /^error: .*--allow-(read|write|net|env|run)/ms, name);
        assert(!text.includes("    at "), `${name} prints a stack trace: ${text}`);
      });
    }),
});

/** Copies the files of run `r` to `s`, to compare them. */
async function copyRun(runs: string): Promise<void> {
  await Deno.mkdir(join(runs, "s"));
  for (const { name, isFile } of Deno.readDirSync(join(runs, "r"))) {
    if (isFile) await Deno.copyFile(join(runs, "r", name), join(runs, "s", name));
  }
}

Deno.test({
  name: "eval names the permissions that it lacks for its environment server",
  ignore,
  fn: async () => {
    const { stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--no-prompt", `--allow-read=${projectFile("data")}`],
        ...[projectFile("cli.ts"), "eval", projectFile("data/hopper-medium.safetensors")],
      ],
      stderr: "piped",
      stdout: "null",
    }).output();
    const text = new TextDecoder().decode(stderr).replaceAll(/\s+/g, " ");
    assertEquals(code, 1);
    assertStringIncludes(text, `--allow-run=${Deno.execPath()} --allow-net=127.0.0.1`);
    assertStringIncludes(text, "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE");
  },
});
