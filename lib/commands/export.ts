/**
 * `export`: writes a trained policy for other programs.
 *
 * @module
 */
import { join } from "node:path";
import { findAlgorithm } from "../algorithms/registry.ts";
import { UserError } from "../errors.ts";
import { cHeader } from "../export/c.ts";
import { javascriptModule } from "../export/javascript.ts";
import { onnxModel, onnxNames } from "../export/onnx.ts";
import { checkWritable, isFile, makeFolder } from "../files.ts";
import { boundsText } from "../nn/host/action_bounds.ts";
import { type Actor, readActor } from "../nn/host/actor.ts";
import { readCheckpoint } from "../runs/checkpoint.ts";
import { RunDirectory } from "../runs/directory.ts";
import { writeAtomic } from "../runs/files.ts";
import { officialFiles } from "../runs/official_checkpoint.ts";
import { openTrained } from "../runs/trained.ts";
import { parseFlags, text } from "./flags.ts";
import { helpText } from "./help.ts";

const command = {
  name: "export",
  summary: "Writes a policy that is one network as a file for other programs (docs/export.md). " +
    "Each file contains observations with their actions, to check it where it runs.",
  positionals: [{
    name: "run",
    help: "A run directory, or a .safetensors file with an actor (docs/policies.md)",
  }],
  flags: {
    onnx: text("Write an ONNX model", { valueName: "FILE" }),
    js: text("Write a JavaScript module without dependencies", { valueName: "FILE" }),
    c: text("Write a C99 header that allocates no memory", { valueName: "FILE" }),
    pth: text(
      "Write the networks of a run to this folder, as state dicts of the official PyTorch code",
      { valueName: "DIR" },
    ),
    policy: text("Actor of the run", { valueName: "ACTOR", shown: "the algorithm's own" }),
  },
} as const;

/** The formats by flag. */
const formats = {
  onnx: onnxModel,
  js: javascriptModule,
  c: cHeader,
} as const satisfies Record<string, (actor: Actor) => Uint8Array | string>;

/**
 * Exports a policy.
 *
 * @throws {UserError} If no format is given, a file cannot be written, or the policy is missing,
 * invalid or more than one network.
 */
export async function exportPolicy(args: readonly string[]): Promise<void> {
  const parsed = parseFlags(command, args);
  if (parsed === "help") return console.log(helpText(command));
  const { flags, positionals: [path] } = parsed;
  const outputs = (["onnx", "js", "c"] as const).flatMap((format) => {
    const file = flags[format];
    return file === undefined ? [] : [{ format, file }];
  });
  if (outputs.length === 0 && flags.pth === undefined) {
    throw new UserError("export needs a format: --onnx FILE, --js FILE, --c FILE or --pth DIR");
  }
  if (outputs.length === 0 && flags.policy !== undefined) {
    throw new UserError(
      "--policy selects what --onnx, --js and --c write; --pth writes the networks of all stages, " +
        "so remove --policy",
    );
  }
  const actor = outputs.length === 0
    ? null
    : readActor(openTrained(path!).actorFile(flags.policy ?? null));
  if (flags.pth !== undefined) await writeOfficial(path!, flags.pth);
  if (actor === null) return;
  for (const { file } of outputs) await checkWritable(file);
  const { network: { inputs, outputs: actions }, bounds, description } = actor;
  console.log(`actor  ${description}`);
  console.log(
    `input  ${onnxNames.input}: ${inputs} numbers, as the environment gives them\n` +
      `output ${onnxNames.output}: ${actions} numbers` +
      (bounds === null ? "" : `, scaled to ${boundsText(bounds)}`),
  );
  for (const { format, file } of outputs) {
    await writeAtomic(file, formats[format](actor));
    console.log(`wrote  ${file}`);
  }
}

/** Writes the official files of all stages of a run that have a checkpoint. */
async function writeOfficial(path: string, folder: string): Promise<void> {
  const run = new RunDirectory(path);
  const algorithm = findAlgorithm(run.readConfig().algorithm);
  const written = algorithm.stages.filter(({ officialFiles }) => officialFiles !== undefined);
  if (written.length === 0) {
    throw new UserError(`${path}: the official code of ${algorithm.title} does not use PyTorch`);
  }
  const present = written.filter(({ name }) => isFile(run.checkpoint(name)));
  if (present.length === 0) {
    const names = written.map(({ name }) => run.checkpoint(name));
    throw new UserError(
      `${path}: no checkpoint; expected ${
        names.join(" or ")
      }. Of a run of several seeds, give the ` +
        `folder of one, such as ${join(path, "seed-0")}`,
    );
  }
  makeFolder(folder);
  for (const stage of present) {
    const { file } = readCheckpoint(run.checkpoint(stage.name));
    for (const [name, bytes] of await officialFiles(stage, file)) {
      const target = join(folder, `${name}.pth`);
      await writeAtomic(target, bytes);
      console.log(`wrote  ${target}`);
    }
  }
  for (const { name, officialFiles } of algorithm.stages) {
    if (officialFiles === undefined) {
      console.log(
        `note   the official code of ${algorithm.title} has no file of the ${name} stage`,
      );
    }
  }
}
