import { assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { UserError } from "../../lib/errors.ts";
import { mayUseFiles, projectFile, tinyContents, withFolder } from "./files.ts";

const ignore = !mayUseFiles;
const mixed = projectFile("tests/fixtures/datasets/hopper-mixed-20k.hdf5");
const columns = projectFile("tests/fixtures/datasets/hopper-col-2k-v0style.hdf5");
const maze = projectFile("data/maze2d-umaze-100k.hdf5");

const dataModule = () => import("../../lib/data/dataset.ts");

Deno.test({
  name: "transitions: all rows, including terminal ones, except the last row and timeouts",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    const data = await loadDataset([mixed]);
    assertEquals(data.transitions.length, 19_991);
    const kept = new Set(data.transitions);
    for (let row = 0; row < data.rows; row++) {
      assertEquals(kept.has(row), row < data.rows - 1 && data.timeouts[row] === 0, `row ${row}`);
    }
    const terminal = data.terminals.indexOf(1);
    assertEquals(kept.has(terminal), true);
  },
});

Deno.test({
  name: "transitions: the file's next_observations equal the following rows' observations",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    const { D4rlFile } = await import("../../lib/data/hdf5.ts");
    const data = await loadDataset([mixed]);
    const file = await D4rlFile.open(mixed);
    const next = new Float32Array(data.observations.length);
    file.read("next_observations", next);
    file.close();
    const size = data.observationSize;
    let compared = 0;
    for (const row of data.transitions) {
      // After a terminal, D4RL's rule uses the first observation of the next episode.
      if (data.terminals[row] === 1) continue;
      for (let i = 0; i < size; i++) {
        assertEquals(data.observations[(row + 1) * size + i], next[row * size + i], `row ${row}`);
      }
      compared++;
    }
    assertEquals(compared, 19_991 - 108);
  },
});

Deno.test({
  name: "loadDataset() derives missing timeouts from the step limit, if there is one",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    const none = await loadDataset([columns]);
    assertEquals([none.hasTimeouts, none.transitions.length], [false, 1999]);
    const { timeouts, terminals } = await loadDataset([columns], { maxEpisodeSteps: 100 });
    // Count the limit independently: steps since the last row that ended an episode.
    let begin = 0;
    for (let row = 0; row < 2000; row++) {
      const cut = terminals[row] === 0 && row - begin === 99;
      assertEquals(timeouts[row], cut ? 1 : 0, `row ${row}`);
      if (cut || terminals[row] === 1) begin = row + 1;
    }
    // A file with the field keeps its values.
    const own = await loadDataset([mixed], { maxEpisodeSteps: 100 });
    assertEquals(own.timeouts.reduce((sum, flag) => sum + flag, 0), 8);
  },
});

Deno.test({
  name: "loadDataset() concatenates files and marks the joints as timeouts",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    const joined = await loadDataset([columns, mixed]);
    const [first, second] = [await loadDataset([columns]), await loadDataset([mixed])];
    assertEquals(joined.rows, 22_000);
    assertEquals(joined.observations.subarray(0, 2000 * 11), first.observations);
    assertEquals(joined.rewards.subarray(2000), second.rewards);
    assertEquals(joined.timeouts[1999], 1);
    assertEquals(joined.transitions.length, 1999 + 19_991);
    assertEquals(joined.transitions[1999], 2000);
    assertEquals(joined.sources.map(({ firstRow }) => firstRow), [0, 2000]);
    assertEquals(joined.hasTimeouts, false);
  },
});

Deno.test({
  name: "loadDataset() keeps a terminal at a joint, and its transition",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { loadDataset } = await dataModule();
      const { writeDataset } = await import("../../lib/data/writer.ts");
      const path = `${folder}/tiny.hdf5`;
      await writeDataset(path, tinyContents); // terminal in its last row
      const { terminals, timeouts, transitions } = await loadDataset([path, path]);
      assertEquals([...terminals], [0, 0, 1, 0, 0, 1]);
      assertEquals([...timeouts], [0, 1, 0, 0, 1, 0]);
      assertEquals([...transitions], [0, 2, 3]);
    }),
});

Deno.test({
  name: "loadDataset() refuses next_observations of another shape",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const { loadDataset } = await dataModule();
      const { writeDataset } = await import("../../lib/data/writer.ts");
      const { loadH5wasm } = await import("../../lib/data/deno_hdf5.ts");
      const path = `${folder}/tiny.hdf5`;
      await writeDataset(path, tinyContents);
      const { File } = await loadH5wasm();
      const file = new File(path, "a");
      file.create_dataset({
        name: "next_observations",
        data: new Float32Array(9),
        shape: [3, 3],
      });
      file.close();
      await assertRejects(
        () => loadDataset([path]),
        UserError,
        "next_observations is float32 of shape [3,3], expected numbers of the shape of " +
          "observations, [3,2]",
      );
    }),
});

Deno.test({
  name: "the bundled maze2d sample has 1,322 timeouts and reward 1 in 7.8 % of the rows",
  ignore,
  async fn() {
    const { loadDataset } = await dataModule();
    const data = await loadDataset([maze]);
    const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
    assertEquals([data.rows, data.observationSize, data.actionSize], [100_000, 4, 2]);
    assertEquals([sum(data.terminals), sum(data.timeouts)], [0, 1322]);
    assertAlmostEquals(sum(data.rewards) / data.rows, 0.078, 0.0005);
  },
});
