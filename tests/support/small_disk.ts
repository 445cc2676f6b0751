/**
 * A small file system in memory, which tests can fill.
 *
 * @module
 */

/** Whether this process may mount file systems: on Linux, as root. */
export function mayMount(): boolean {
  const granted = (["read", "write", "run", "sys"] as const).every((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );
  if (!granted || Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  try {
    new SmallDisk(4)[Symbol.dispose]();
    return true;
  } catch {
    return false; // In a container without the right to mount.
  }
}

/** A mounted file system of limited size. */
export class SmallDisk implements Disposable {
  /** Its folder. */
  readonly path: string = Deno.makeTempDirSync();
  #kibibytes: number;

  /** Mounts an empty file system of the given size. */
  constructor(kibibytes: number) {
    this.#kibibytes = kibibytes;
    run("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", this.path);
  }

  /** Size in KiB. */
  get kibibytes(): number {
    return this.#kibibytes;
  }

  /** Enlarges the file system. */
  grow(kibibytes: number): void {
    this.#kibibytes += kibibytes;
    run("mount", "-o", `remount,size=${this.#kibibytes}k`, this.path);
  }

  /** Returns the names of its files. */
  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name);
  }

  /** Removes the file system, also with files that are still open. */
  [Symbol.dispose](): void {
    new Deno.Command("umount", { args: ["--lazy", this.path] }).outputSync();
    Deno.removeSync(this.path);
  }
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}
