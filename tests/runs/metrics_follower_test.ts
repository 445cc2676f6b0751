import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { MetricsFollower } from "../../lib/runs/metrics_follower.ts";
import { mayUseFiles, withFolder } from "../data/files.ts";

Deno.test({
  name: "MetricsFollower: returns each complete line once, and notices another file",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder((folder) => {
      const path = join(folder, "metrics.jsonl");
      const follower = new MetricsFollower(path);
      const append = (text: string) => Deno.writeTextFileSync(path, text, { append: true });
      assertEquals(follower.read(), { restarted: false, lines: [] });
      append("a\nb");
      assertEquals(follower.read(), { restarted: false, lines: ["a"] });
      assertEquals(follower.read(), { restarted: false, lines: [] });
      append("β\nc\n");
      assertEquals(follower.read(), { restarted: false, lines: ["bβ", "c"] });
      Deno.writeTextFileSync(`${path}.tmp`, "a\n");
      Deno.renameSync(`${path}.tmp`, path);
      append("new\n");
      assertEquals(follower.read(), { restarted: true, lines: ["a", "new"] });
      assertEquals(follower.read(), { restarted: false, lines: [] });
      return Promise.resolve();
    }),
});
