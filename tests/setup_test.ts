import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";

const granted = (name: "run" | "read" | "write" | "env") =>
  Deno.permissions.querySync({ name }).state === "granted";

/** The standard tools that the script uses. The PATH of the tests contains nothing else. */
const tools = ["sh", "awk", "sed", "tr", "uname", "id", "mkdir", "chmod", "cat"];

/** A fake `deno` that reports a version and whether there is an adapter. */
const fakeDeno = (version: string, adapter = true) =>
  `[ "$1" = --version ] && echo "deno ${version} (stable, release, x86_64)"
[ "$1" = eval ] && exit ${adapter ? 0 : 1}
exit 0`;

/**
 * A fake `npm` with the prefix `prefix`. Its `install` creates a `deno` there and prints its
 * arguments.
 */
const fakeNpm = (prefix: string) =>
  `if [ "$1" = prefix ]; then echo "${prefix}"; exit; fi
echo "$@" >&2
while [ "$1" != --prefix ]; do shift; done
{ echo "#!/bin/sh"; cat <<'END'
${fakeDeno("2.9.6")}
END
} >"$2/bin/deno"
chmod +x "$2/bin/deno"`;

/** A folder of programs that replaces the machine's PATH. */
class Machine implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly bin = join(this.folder, "bin");
  path = this.bin;

  constructor() {
    Deno.mkdirSync(this.bin);
    for (const tool of tools) {
      const found = Deno.env.get("PATH")!.split(":").map((folder) => join(folder, tool)).find(
        (path) => {
          try {
            return Deno.statSync(path).isFile;
          } catch {
            return false;
          }
        },
      );
      Deno.symlinkSync(found!, join(this.bin, tool));
    }
  }

  /** Adds a program to the PATH. */
  has(name: string, script: string): this {
    Deno.writeTextFileSync(join(this.bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return this;
  }

  /** Runs setup.sh on this machine. */
  setup() {
    const { code, stdout, stderr } = new Deno.Command(join(this.bin, "sh"), {
      args: ["setup.sh"],
      cwd: new URL("..", import.meta.url),
      clearEnv: true,
      env: { PATH: this.path, HOME: this.folder },
    }).outputSync();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function setupTest(name: string, body: (machine: Machine) => void) {
  Deno.test({
    name: `setup.sh ${name}`,
    ignore: Deno.build.os !== "linux" || !granted("run") || !granted("read") ||
      !granted("write") || !granted("env"),
    fn: () => {
      using machine = new Machine();
      body(machine);
    },
  });
}

setupTest("prints nothing if Deno and a Vulkan adapter are present", (machine) => {
  Deno.symlinkSync(Deno.execPath(), join(machine.bin, "deno"));
  assertEquals(machine.setup(), { code: 0, out: "" });
});

setupTest("keeps a recent enough Deno, comparing versions as numbers, not as text", (machine) => {
  for (const version of ["2.8.0", "2.10.1", "10.0.0"]) {
    machine.has("deno", fakeDeno(version));
    assertEquals(machine.setup(), { code: 0, out: "" });
  }
});

setupTest("names what to install if there is neither npm nor apt-get", (machine) => {
  const message = "setup: Deno 2.8.0 or newer is needed, and npm to install it";
  const absent = machine.setup();
  assertEquals(absent.code, 1);
  assertStringIncludes(absent.out, message);
  const old = machine.has("deno", fakeDeno("2.7.14")).setup();
  assertEquals(old.code, 1);
  assertStringIncludes(old.out, message);
});

setupTest("installs the pinned Deno to npm's own prefix if that is on the PATH", (machine) => {
  const prefix = join(machine.folder, "prefix");
  Deno.mkdirSync(join(prefix, "bin"), { recursive: true });
  machine.path += `:${join(prefix, "bin")}`;
  const { code, out } = machine.has("npm", fakeNpm(prefix)).setup();
  assertEquals(code, 0);
  assertStringIncludes(out, `setup: installing Deno 2.9.6 (npm package deno) into ${prefix}\n`);
  assertStringIncludes(out, `install --global --prefix ${prefix} `);
  assertStringIncludes(out, " deno@2.9.6\n");
  assertEquals(machine.setup(), { code: 0, out: "" });
});

setupTest("installs Deno to ~/.local if only that is on the PATH", (machine) => {
  const local = join(machine.folder, ".local");
  machine.path += `:${join(local, "bin")}`;
  const { code, out } = machine.has("npm", fakeNpm("/nowhere")).setup();
  assertEquals(code, 0);
  assertStringIncludes(out, `into ${local}\n`);
});

setupTest("names the folder that is missing from the PATH if no prefix is on it", (machine) => {
  const { code, out } = machine.has("npm", fakeNpm("/nowhere")).setup();
  assertEquals(code, 1);
  assertStringIncludes(out, "/nowhere/bin is not on PATH");
});

setupTest("reports an older Deno that comes first on the PATH", (machine) => {
  machine.path += `:${join(machine.folder, ".local", "bin")}`;
  const { code, out } = machine.has("deno", fakeDeno("2.7.14")).has("npm", fakeNpm("/nowhere"))
    .setup();
  assertEquals(code, 1);
  assertStringIncludes(out, `PATH finds ${join(machine.bin, "deno")} first`);
});

setupTest(
  "installs Mesa's Vulkan drivers if Deno finds no adapter, and checks again",
  (machine) => {
    machine.has("deno", fakeDeno("2.9.6", false));
    const without = machine.setup();
    assertEquals(without.code, 1);
    assertStringIncludes(without.out, "no Vulkan adapter found: install");

    machine.has("env", 'while case "$1" in *=*) true;; *) false;; esac; do shift; done; "$@"');
    machine.has("sudo", '"$@"').has("apt-get", 'echo "apt-get $*" >&2');
    const { code, out } = machine.setup();
    assertStringIncludes(out, "apt-get -qq update\n");
    assertStringIncludes(
      out,
      "install --yes --no-install-recommends mesa-vulkan-drivers libvulkan1",
    );
    assertEquals(code, 1);
    assertStringIncludes(out, "are installed, but Vulkan finds no adapter");
  },
);
