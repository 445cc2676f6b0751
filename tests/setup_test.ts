import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";

const granted = (name: "run" | "read" | "write" | "env") =>
  Deno.permissions.querySync({ name }).state === "granted";

/** The standard tools that the script uses. The PATH of the tests contains nothing else. */
const tools = (
  "sh awk sed tr uname id mkdir chmod cat dirname mktemp cp rm grep"
).split(" ");

/** A fake `deno` that reports a version, whether there is an adapter, and advice on it. */
const fakeDeno = (version: string, adapter = true, advice = "") =>
  `[ "$1" = --version ] && echo "deno ${version} (stable, release, x86_64)"
[ "$1" = eval ] && echo "${advice}" && exit ${adapter ? 0 : 1}
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
  setup(...args: string[]) {
    const { code, stdout, stderr } = new Deno.Command(join(this.bin, "sh"), {
      args: ["setup.sh", ...args],
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

setupTest("prints at most advice if Deno and a Vulkan adapter are present", (machine) => {
  Deno.symlinkSync(Deno.execPath(), join(machine.bin, "deno"));
  const { code, out } = machine.setup();
  assertEquals(code, 0);
  assertMatch(out, /^(setup: Mesa [^\n]* installs the newest\n)?$/);
});

setupTest("prints the advice on a working adapter and installs nothing", (machine) => {
  machine.has("deno", fakeDeno("2.9.6", true, "a slow driver")).has("apt-get", "exit 1");
  assertEquals(machine.setup(), { code: 0, out: "setup: a slow driver\n" });
});

setupTest("rejects an unknown argument", (machine) => {
  const { code, out } = machine.setup("--drivers");
  assertEquals([code, out], [1, "setup: unknown argument --drivers; the only one is --driver\n"]);
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

/** The release of the distribution that the tests run on, such as `bookworm`. */
function release(): string | undefined {
  try {
    return /^VERSION_CODENAME=(\S+)$/m.exec(Deno.readTextFileSync("/etc/os-release"))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * A machine with package sources. Its `apt-get` prints its arguments and the sources that were
 * added to the configured ones. It fails if `broken` is in them.
 */
function withSources(machine: Machine, sources: Readonly<Record<string, string>>): Machine {
  const parts = join(machine.folder, "sources");
  Deno.mkdirSync(parts);
  for (const [name, text] of Object.entries(sources)) {
    Deno.writeTextFileSync(join(parts, name), text);
  }
  return machine
    .has("env", 'while case "$1" in *=*) true;; *) false;; esac; do shift; done; "$@"')
    .has("sudo", '"$@"')
    .has("apt-config", `echo "sourceparts='${parts}'; sourcelist='${machine.folder}/none'"`)
    .has(
      "apt-get",
      `echo "apt-get $*" >&2
for argument; do case "$argument" in Dir::Etc::SourceParts=*)
  cat "\${argument#*=}"/added.* >&2
  grep -q broken "\${argument#*=}"/added.* && exit 100
esac; done; exit 0`,
    )
    .has("deno", fakeDeno("2.9.6", false));
}

setupTest(
  "installs Mesa of the backports of the configured mirror, and keeps nothing",
  (machine) => {
    const codename = release();
    if (codename === undefined) return;
    const sources = {
      "system.sources":
        `Types: deb\n# main\nURIs: http://mirror.example/debian\nSuites: ${codename} ${codename}-updates\n` +
        `Components: main contrib\nSigned-By: /keys/a.gpg\n\n` +
        `Types: deb\nURIs: http://mirror.example/security\nSuites: ${codename}-security\nComponents: main\n`,
      "other.list": `deb http://other.example ${codename}-tools main\n` +
        `deb [signed-by=/keys/b.gpg] http://second.example/debian ${codename} main\n` +
        `deb http://third.example ${codename} stable\n`,
    };
    const { out } = withSources(machine, sources).setup();
    assertStringIncludes(
      out,
      `setup: installing the newest mesa-vulkan-drivers libvulkan1 of ${codename} and ${codename}-backports\n`,
    );
    const added =
      `deb [signed-by=/keys/b.gpg] http://second.example/debian ${codename}-backports main\n` +
      `Types: deb\nURIs: http://mirror.example/debian\nSuites: ${codename}-backports\n` +
      "Components: main contrib\nSigned-By: /keys/a.gpg\n\n";
    assertStringIncludes(out, added);
    assertEquals(out.split("\n").filter((line) => line.startsWith("deb ")).length, 2, out);
    assertMatch(
      out,
      new RegExp(
        `install --yes .*--target-release ${codename}-backports mesa-vulkan-drivers libvulkan1\\n`,
      ),
    );
    // The configured sources are as they were, and the temporary ones are gone.
    for (const [name, text] of Object.entries(sources)) {
      assertEquals(Deno.readTextFileSync(join(machine.folder, "sources", name)), text);
    }
    const temporary = /Dir::Etc::SourceParts=(\S+)/.exec(out)![1]!;
    assertThrows(() => Deno.statSync(temporary), Deno.errors.NotFound);
  },
);

setupTest("installs the configured version of Mesa if there are no backports", (machine) => {
  const codename = release();
  if (codename === undefined) return;
  const { out } = withSources(machine, {
    "system.list": `deb http://broken.example/debian ${codename} main\n`,
  }).setup();
  assertStringIncludes(out, "setup: the backports could not be used; installing");
  assertStringIncludes(
    out,
    "apt-get -qq install --yes --no-install-recommends mesa-vulkan-drivers libvulkan1\n",
  );
});

setupTest("adds no second entry for backports that are configured", (machine) => {
  const codename = release();
  if (codename === undefined) return;
  const { out } = withSources(machine, {
    "system.list": `deb http://mirror.example/debian ${codename} ${codename}-backports main\n`,
  }).setup();
  assert(!/^deb /m.test(out), out);
  assertStringIncludes(out, `--target-release ${codename}-backports mesa-vulkan-drivers`);
});

setupTest("--driver installs Mesa although an adapter works", (machine) => {
  const { code, out } = withSources(machine, {}).has("deno", fakeDeno("2.9.6"))
    .has("dpkg-query", "echo 25.0.7-2").setup("--driver");
  assertEquals(code, 0, out);
  assertStringIncludes(out, "mesa-vulkan-drivers libvulkan1\n");
  assertStringIncludes(out, "setup: installed Mesa 25.0.7-2\n");
});
