/**
 * Contestants: processes that take turns at the same tasks. Each has its own process, so that none
 * shares a GPU device, a thread pool or a garbage collector with another, and waits idly while another
 * one computes.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Replies, Request } from "./tasks.ts";

/** A running contestant. */
export class Contestant implements AsyncDisposable {
  readonly name: string;
  /** What it computes on, as it says. */
  readonly device: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(
    name: string,
    device: string,
    process: Deno.ChildProcess,
    lines: AsyncIterator<string>,
  ) {
    this.name = name;
    this.device = device;
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#lines = lines;
  }

  /** Starts a contestant and waits until it has said what it computes on. */
  static async start(
    name: string,
    command: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<Contestant> {
    const process = new Deno.Command(command, {
      args: [...args],
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = linesOf(process.stdout);
    const { value } = await lines.next();
    if (value === undefined) {
      throw new Error(`${name} ended before it said anything: ${command} ${args.join(" ")}`);
    }
    const { device } = JSON.parse(value) as Replies["hello"];
    return new Contestant(name, device, process, lines);
  }

  /** Asks for something and waits for the answer. Throws what the contestant could not do. */
  async ask<R extends Request>(request: R): Promise<Replies[R["ask"]]> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(`${this.name} ended at ${JSON.stringify(request)}`);
    const reply = JSON.parse(value);
    if (reply.error !== undefined) throw new Error(`${this.name}: ${reply.error}`);
    return reply;
  }

  /** Ends its process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#process.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let pending = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (pending + text).split("\n");
    pending = lines.pop()!;
    yield* lines;
  }
}

/** A file of `bench/` as Deno runs it. */
function script(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Our engine. */
export function startOurs(): Promise<Contestant> {
  return Contestant.start("srpo-webgpu", Deno.execPath(), ["run", "-A", script("ours/worker.ts")]);
}

/** jax-js on one of its devices. */
export function startJax(device: "webgpu" | "wasm"): Promise<Contestant> {
  return startPeer(`jax-js, ${device}`, "peers/jax.ts", device);
}

/** TensorFlow.js on WebGPU. */
export function startTensorflow(): Promise<Contestant> {
  return startPeer("tfjs, webgpu", "peers/tensorflow.ts");
}

/** A peer in TypeScript. Its packages have a configuration of their own: training needs none of them. */
function startPeer(name: string, path: string, ...args: string[]): Promise<Contestant> {
  const config = ["--config", script("peers/deno.json")];
  return Contestant.start(name, Deno.execPath(), ["run", "-A", ...config, script(path), ...args], {
    // Mesa warns where it is unset.
    XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? Deno.env.get("TMPDIR") ?? "/tmp",
  });
}

/**
 * PyTorch on all cores, or on a CUDA device; null where no Python with PyTorch is found.
 *
 * @param compiled Whether losses and gradients go through `torch.compile`.
 */
export async function startPytorch(
  { device = "cpu", compiled = false }: {
    readonly device?: "cpu" | "cuda";
    readonly compiled?: boolean;
  } = {},
): Promise<Contestant | null> {
  const usable = device === "cuda" ? "; assert torch.cuda.is_available()" : "";
  const python = await findPython(`import torch${usable}`);
  if (python === null) return null;
  return Contestant.start(
    compiled ? "PyTorch (compiled)" : "PyTorch",
    python,
    [script("peers/pytorch.py"), "--device", device, ...(compiled ? ["--compile"] : [])],
    await threadSettings(),
  );
}

/** A Python that runs these statements. */
async function findPython(statements: string): Promise<string | null> {
  for (const command of ["python3", "/usr/bin/python3"]) {
    try {
      const { success } = await new Deno.Command(command, {
        args: ["-c", statements],
        stdout: "null",
        stderr: "null",
      }).output();
      if (success) return command;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}

/**
 * The fastest settings for PyTorch: OpenBLAS's AVX-512 kernels where the processor has these
 * instructions, and threads that sleep while they wait, since contestants take turns.
 */
async function threadSettings(): Promise<Record<string, string>> {
  const wide = Deno.build.os === "linux" &&
    /\bavx512f\b/.test(await Deno.readTextFile("/proc/cpuinfo"));
  return { OMP_WAIT_POLICY: "PASSIVE", ...(wide && { OPENBLAS_CORETYPE: "SkylakeX" }) };
}
