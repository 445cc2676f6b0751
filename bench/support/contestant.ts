/**
 * Contestants take turns at the same tasks. Each is a separate process, so that none shares a GPU
 * device, a thread pool or a garbage collector with another. A contestant is idle while another one
 * computes.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Replies, Request } from "./tasks.ts";

/** A running contestant. */
export class Contestant implements AsyncDisposable {
  readonly name: string;
  /** The device that it reports to compute on. */
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

  /** Starts a contestant and waits until it has reported its device. */
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
      throw new Error(`${name} ended without any output: ${command} ${args.join(" ")}`);
    }
    const { device } = JSON.parse(value) as Replies["hello"];
    return new Contestant(name, device, process, lines);
  }

  /** Sends a request and waits for the answer. Throws if the contestant reports an error. */
  async ask<R extends Request>(request: R): Promise<Replies[R["ask"]]> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    const { value } = await this.#lines.next();
    if (value === undefined) {
      throw new Error(`${this.name} ended during ${JSON.stringify(request)}`);
    }
    const reply = JSON.parse(value);
    if (reply.error !== undefined) throw new Error(`${this.name}: ${reply.error}`);
    return reply;
  }

  /** Ends the process. */
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

/** Returns the path of a file in `bench/`. */
function script(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/**
 * Starts our engine: this version, or the one in another checkout of the repository.
 *
 * @param tiny Whether it gets only networks and batches of 8.
 * @param threads Compute threads of Mesa's software driver. Defaults to our choice.
 */
export function startOurs(
  { checkout, tiny = false, threads }: {
    readonly checkout?: string;
    readonly tiny?: boolean;
    readonly threads?: number;
  } = {},
): Promise<Contestant> {
  const worker = checkout ? join(checkout, "bench/ours/worker.ts") : script("ours/worker.ts");
  const args = ["run", "-A", worker, ...(tiny ? ["--tiny"] : [])];
  const env = threads === undefined ? {} : { LP_NUM_THREADS: String(threads) };
  return Contestant.start(checkout ?? "srpo-webgpu", Deno.execPath(), args, env);
}

/** Starts jax-js on one of its devices. */
export function startJax(device: "webgpu" | "wasm"): Promise<Contestant> {
  return startPeer(`jax-js, ${device}`, "peers/jax.ts", device);
}

/** Starts TensorFlow.js on WebGPU. */
export function startTensorflow(): Promise<Contestant> {
  return startPeer("tfjs, webgpu", "peers/tensorflow.ts");
}

/**
 * Starts a TypeScript peer. Peers have their own configuration, because training needs none of
 * them.
 */
function startPeer(name: string, path: string, ...args: string[]): Promise<Contestant> {
  const config = ["--config", script("peers/deno.json")];
  return Contestant.start(name, Deno.execPath(), ["run", "-A", ...config, script(path), ...args], {
    // Mesa warns if it is unset.
    XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? Deno.env.get("TMPDIR") ?? "/tmp",
  });
}

/**
 * Starts PyTorch on all cores or on a CUDA device. Returns null if no Python with PyTorch is found.
 *
 * @param compiled Whether to use `torch.compile` for losses and gradients.
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

/**
 * Starts PyTorch on CUDA if `ours` computes on a graphics card, otherwise or without CUDA on all
 * cores.
 */
export async function startPytorchBeside(ours: Contestant): Promise<Contestant | null> {
  const cuda = ours.device.includes("software GPU") ? null : await startPytorch({ device: "cuda" });
  return cuda ?? await startPytorch();
}

/** Returns a Python command that can run these statements, or null. */
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
 * Returns the fastest settings for PyTorch: OpenBLAS's AVX-512 kernels if the CPU supports them,
 * and threads that sleep while they wait, because contestants take turns.
 */
async function threadSettings(): Promise<Record<string, string>> {
  const wide = Deno.build.os === "linux" &&
    /\bavx512f\b/.test(await Deno.readTextFile("/proc/cpuinfo"));
  return { OMP_WAIT_POLICY: "PASSIVE", ...(wide && { OPENBLAS_CORETYPE: "SkylakeX" }) };
}
