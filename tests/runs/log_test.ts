import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { RunLog } from "../../lib/runs/log.ts";

const ignore = ["read", "write"].some((name) =>
  Deno.permissions.querySync({ name: name as "read" }).state !== "granted"
);

Deno.test({
  name: "RunLog writes lines with time stamps, and progress once per minute",
  ignore,
  fn: () => {
    const folder = Deno.makeTempDirSync();
    try {
      const path = join(folder, "train.log");
      new RunLog(path).write("first");
      const log = new RunLog(path); // as a resumed run does
      let time = 0;
      let shown = "";
      const output = log.progress({
        terminal: true,
        columns: () => 80,
        now: () => time,
        write: (text) => void (shown += text),
      });
      log.write("a table\n\nof two lines");
      for (time of [0, 30_000, 61_000]) output.write(`\r\x1b[Kcritic ${time}`);
      output.write("\n");
      assertEquals(shown, "\r\x1b[Kcritic 0\r\x1b[Kcritic 30000\r\x1b[Kcritic 61000\n");
      const lines = Deno.readTextFileSync(path).trimEnd().split("\n");
      for (const line of lines) assertMatch(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z {2}/);
      assertEquals(lines.map((line) => line.slice(26)), [
        "first",
        "a table",
        "of two lines",
        "critic 0",
        "critic 61000",
      ]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
