/**
 * A Slurm cluster of one node, which is this machine, for tests.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const programs = ["munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "squeue"];

/** Returns why no cluster can be started here, for the name of an ignored test; null if it can. */
export function slurmMissing(): string | null {
  if (Deno.uid() !== 0) return " (needs root)";
  const folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
  const missing = programs.filter((name) => !folders.some((folder) => isFile(join(folder, name))));
  return missing.length === 0 ? null : ` (needs Debian's slurm-wlm and munge)`;
}

/** A running cluster. Slurm's commands find it through `SLURM_CONF` until it is disposed. */
export class SlurmCluster implements AsyncDisposable {
  readonly #folder: string;
  readonly #daemons: Deno.ChildProcess[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts munged, slurmctld and slurmd with their files in a new folder. */
  static async start(folder: string): Promise<SlurmCluster> {
    const cluster = new SlurmCluster(folder);
    try {
      for (const name of ["munge", "state", "spool"]) {
        Deno.mkdirSync(join(folder, name), { recursive: true });
      }
      // munged refuses a socket in a folder that others can write to or not enter.
      Deno.chmodSync(join(folder, ".."), 0o755);
      const configuration = join(folder, "slurm.conf");
      Deno.writeTextFileSync(configuration, configurationIn(folder));
      Deno.env.set("SLURM_CONF", configuration);
      const munge = (name: string) => join(folder, "munge", name);
      Deno.writeFileSync(munge("key"), crypto.getRandomValues(new Uint8Array(1024)), {
        mode: 0o600,
      });
      const files = ["key-file", "socket", "pid-file", "log-file", "seed-file"];
      cluster.#begin("munged", [
        "--foreground",
        "--force",
        "--num-threads=10",
        ...files.map((name) => `--${name}=${munge(name === "key-file" ? "key" : name)}`),
      ]);
      await cluster.until("munged has a socket", () => existsSync(munge("socket")) ? true : null);
      cluster.#begin("slurmctld", ["-D", "-f", configuration]);
      cluster.#begin("slurmd", ["-D", "-f", configuration]);
      await cluster.until(
        "the node is idle",
        async () => await cluster.command("sinfo", "-h", "-o", "%T") === "idle" ? true : null,
      );
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  #begin(program: string, args: string[]): void {
    this.#daemons.push(
      new Deno.Command(program, { args, stdout: "null", stderr: "null" }).spawn(),
    );
  }

  /** Returns what a command prints to standard output, whether it succeeds or not. */
  async command(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim();
  }

  /** Returns what Slurm knows about a job. */
  show(job: string): Promise<string> {
    return this.command("scontrol", "show", "job", job);
  }

  /** Waits until `check` returns other than null. Fails after a minute. */
  async until<T>(what: string, check: () => T | null | Promise<T | null>): Promise<T> {
    for (let tries = 0; tries < 600; tries++) {
      const found = await check();
      if (found !== null) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const queue = await this.command("squeue");
    const log = isFile(join(this.#folder, "slurmctld.log"))
      ? Deno.readTextFileSync(join(this.#folder, "slurmctld.log")).slice(-2000)
      : "";
    throw new Error(`waited a minute until ${what}\n${queue}\n${log}`);
  }

  /** Cancels all jobs and stops the daemons. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemons.length === 3) {
      await this.command("scancel", "--state=RUNNING");
      await this.command("scancel", "--state=PENDING");
      for (let tries = 0; tries < 100 && await this.command("squeue", "-h") !== ""; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    for (const daemon of this.#daemons.toReversed()) {
      try {
        daemon.kill("SIGTERM");
      } catch { /* It has ended by itself. */ }
      await daemon.status;
    }
    Deno.env.delete("SLURM_CONF");
  }
}

/** Plugins that need no cgroups, and short waits. */
function configurationIn(folder: string): string {
  const host = Deno.hostname();
  const at = (name: string) => join(folder, name);
  // Below the ports that Linux gives to clients.
  const port = 20_000 + 2 * (Deno.pid % 6_000);
  return `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${port}
SlurmdPort=${port + 1}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${at("munge/socket")},cred_expire=5
CredType=cred/munge
StateSaveLocation=${at("state")}
SlurmdSpoolDir=${at("spool")}
SlurmctldPidFile=${at("slurmctld.pid")}
SlurmdPidFile=${at("slurmd.pid")}
SlurmctldLogFile=${at("slurmctld.log")}
SlurmdLogFile=${at("slurmd.log")}
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=5
NodeName=${host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=100 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
