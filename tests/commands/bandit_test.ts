import { assertRejects } from "@std/assert";
import { bandit } from "../../lib/commands/bandit.ts";
import { UserError } from "../../lib/errors.ts";

Deno.test("bandit: an unknown density or an unusable folder is one clear message", async () => {
  await assertRejects(
    () => Promise.resolve(bandit(["8gausians"])),
    UserError,
    'unknown density "8gausians", did you mean "8gaussians"?',
  );
  await assertRejects(
    () => Promise.resolve(bandit(["--out", "/dev/null/x"])),
    UserError,
    "/dev/null/x: cannot be written",
  );
});
