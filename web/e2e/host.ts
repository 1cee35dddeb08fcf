// A real punktfunk-host in a folder of its own, on ports of its own, and real clients that
// play with it.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Program, sweep } from "./process.ts";
import { until } from "./wait.ts";
import { fileName, nativePort, type World } from "./world.ts";

/** The password of every console that is claimed. */
export const PASSWORD = "correct horse battery";

export class Host {
  readonly world: World;
  readonly base: number;
  readonly folder: string;
  readonly name: string;
  private readonly log: string;
  private readonly clients: Program[] = [];
  private server: Program;
  private over = false;

  private constructor(world: World, name: string, base: number, config: string) {
    this.world = world;
    this.base = base;
    this.name = `console ${name}`.slice(0, 60);
    this.folder = join(world.folder, `${fileName(name)}-${base}`);
    this.log = join(world.artefacts, `${fileName(name)}.log`);
    mkdirSync(this.folder);
    chmodSync(this.folder, 0o777);
    writeFileSync(join(this.folder, "punktfunk.toml"), `name = "${this.name}"\n${config}`);
    writeFileSync(this.log, "");
    this.server = this.serve();
  }

  /** Starts one and waits until it listens. */
  static async start(world: World, name: string, config = ""): Promise<Host> {
    const host = new Host(world, name, await world.freeBase(), config);
    try {
      await host.listening();
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  /** The console's origin, as this machine's neighbours write it. */
  get origin(): string {
    return `https://${this.world.address}:${this.base + 1}`;
  }

  /** What it said so far. */
  get said(): string {
    return readFileSync(this.log, "utf8");
  }

  get pid(): number | undefined {
    return this.server.pid;
  }

  /** A command of its command line. */
  cli(...args: string[]): Promise<string> {
    const places = ["--port", `${this.base}`, "--state", join(this.folder, "state")];
    const config = ["--config", join(this.folder, "punktfunk.toml")];
    const program = this.world.program("punktfunk-host");
    return new Program(program, [...args, ...places, ...config]).output();
  }

  /** Kills it, so that it can say goodbye to nobody, and starts it again. */
  async killAndRestart(): Promise<void> {
    if (this.server.pid !== undefined) process.kill(this.server.pid, "SIGKILL");
    await this.server.ended();
    if (this.over) throw new Error("the scenario is over");
    this.server = this.serve();
    await this.listening();
  }

  /** A Moonlight-style client with an identity of its own. */
  gamestream(client: string, ...args: string[]): Program {
    const places = [
      "--host",
      "127.0.0.1",
      "--port",
      `${this.base}`,
      "--identity",
      this.home(client),
    ];
    return this.client(["gamestream", ...places, ...args]);
  }

  /** A client of punktfunk/1 with an identity of its own. */
  native(client: string, ...args: string[]): Program {
    return this.client([...args, "--identity", this.home(client)]);
  }

  /** Where clients of punktfunk/1 find it. */
  get nativeAddress(): string {
    return `127.0.0.1:${nativePort(this.base)}`;
  }

  /** Ends the clients, then the host. */
  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.clients.map((client) => client.stop().catch(() => false)));
    const { pid } = this.server;
    const well = await this.server.stop().catch(() => false);
    // What it started outlives a host that was killed.
    if (!well && pid !== undefined) sweep(`/seat-${pid}-`);
  }

  /** Waits until both the clients' and the console's port answer. */
  async listening(): Promise<void> {
    for (const port of [this.base, this.base + 1]) {
      const what = `the host listens on port ${port} (its log is ${this.log})`;
      await until(
        what,
        async () => {
          if (!this.server.runs) {
            const tail = this.said.trim().split("\n").slice(-6).join(" | ");
            throw new Error(`the host ended at once: ${tail}`);
          }
          return await answers(port);
        },
        60,
      );
    }
  }

  private home(client: string): string {
    return join(this.folder, `client-${client}`);
  }

  private client(args: string[]): Program {
    if (this.over) throw new Error("the scenario is over");
    const client = new Program(this.world.program("punktfunk-probe"), args);
    this.clients.push(client);
    return client;
  }

  private serve(): Program {
    const args = ["serve", "--gamestream", "--port", `${this.base}`];
    args.push("--config", join(this.folder, "punktfunk.toml"));
    args.push("--state", join(this.folder, "state"));
    const { SHELL: _, ENV: __, ...env } = process.env;
    const program = this.world.program("punktfunk-host");
    return new Program(program, args, this.log, { ...env, PUNKTFUNK_LOG: "debug" });
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(200, () => socket.destroy());
    socket.once("connect", () => socket.destroy());
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
}
