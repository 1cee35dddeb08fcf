// Programs that scenarios start: each is ended with its scenario, whatever became of it.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { within } from "./wait.ts";

/** All that run. Whatever ends this program ends them. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) {
    child.kill("SIGKILL");
    sweep(`/seat-${child.pid}-`);
  }
});

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A running program; what it prints is kept, or goes to a file. */
export class Program {
  readonly name: string;
  stdout = "";
  stderr = "";
  /** Time of its end (performance.now), once it ended. */
  endedAt: number | undefined;
  private readonly child: ChildProcess;
  private readonly end: Promise<Ended>;

  constructor(path: string, args: string[], log?: string, env?: NodeJS.ProcessEnv) {
    this.name = [path.slice(path.lastIndexOf("/") + 1), ...args].join(" ");
    const file = log === undefined ? "pipe" : openSync(log, "a");
    this.child = spawn(path, args, { cwd: "/", stdio: ["ignore", file, file], env });
    if (typeof file === "number") closeSync(file);
    running.add(this.child);
    for (const event of ["error", "exit"]) {
      this.child.once(event, () => running.delete(this.child));
    }
    this.child.stdout?.on("data", (bytes: Buffer) => (this.stdout += bytes.toString()));
    this.child.stderr?.on("data", (bytes: Buffer) => (this.stderr += bytes.toString()));
    this.end = new Promise((done, failed) => {
      this.child.once("error", failed);
      this.child.once("exit", () => (this.endedAt = performance.now()));
      this.child.once("close", (code, signal) =>
        done({ code, signal, stdout: this.stdout, stderr: this.stderr }),
      );
    });
    this.end.catch(() => {});
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Its end, whichever. */
  ended(seconds = 30): Promise<Ended> {
    return within(`the end of ${this.name}`, seconds, this.end);
  }

  /** Its output; an error when it did not end well. */
  async output(seconds = 30): Promise<string> {
    const ended = await this.ended(seconds);
    if (ended.code !== 0) {
      const said = (ended.stderr || ended.stdout).trim().replaceAll("\n", " | ");
      throw new Error(`${this.name} ended with ${ended.code ?? ended.signal}: ${said}`);
    }
    return ended.stdout;
  }

  /** Asks it to end, then makes it; whether it ended when it was asked. */
  async stop(): Promise<boolean> {
    if (!this.runs) return true;
    this.child.kill("SIGTERM");
    try {
      await this.ended(15);
      return true;
    } catch {
      this.child.kill("SIGKILL");
      await this.ended(5);
      return false;
    }
  }
}

/** Kills what still runs and was started with these words: a program that is killed takes
 *  nobody with it. */
export function sweep(words: string): void {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (const number of numbers) {
    try {
      const said = ["cmdline", "environ"].map((file) => readFileSync(`/proc/${number}/${file}`));
      const ours = Number(number) === process.pid;
      if (!ours && Buffer.concat(said).includes(words)) process.kill(Number(number), "SIGKILL");
    } catch {
      // It ended meanwhile, or it is not ours.
    }
  }
}
