/**
 * Runs ONNX models with onnxruntime: `deno run -A run.ts FOLDER NAME…`.
 *
 * For each name it reads `NAME.onnx` and the observations `NAME.observations`, float32 of all rows,
 * and writes the actions to `NAME.actions`. It has a configuration of its own, because Deno
 * downloads all packages of one, and this one has 290 MB.
 *
 * @module
 */
import { InferenceSession, Tensor } from "onnxruntime-node";

const [folder, ...names] = Deno.args;
for (const name of names) {
  const session = await InferenceSession.create(`${folder}/${name}.onnx`);
  const bytes = await Deno.readFile(`${folder}/${name}.observations`);
  const observations = new Float32Array(bytes.buffer);
  const input = session.inputMetadata[0]!;
  if (!input.isTensor) throw new Error(`${name}: its input is no tensor`);
  const columns = Number(input.shape[1]);
  const results = await session.run({
    observation: new Tensor("float32", observations, [observations.length / columns, columns]),
  });
  const actions = results["action"]!.data as Float32Array;
  await Deno.writeFile(`${folder}/${name}.actions`, new Uint8Array(actions.slice().buffer));
  await session.release();
}
