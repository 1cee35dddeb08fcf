// What all scenarios share: programs that every user may run, a fresh folder, free ports,
// the address of this machine on its network.

import { createSocket } from "node:dgram";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The programs a host and a client consist of. */
const PROGRAMS = ["punktfunk-host", "punktfunk-seat", "punktfunk-inputd", "punktfunk-probe"];

/** Bases of hosts, and how far their ports are from them. */
const FIRST_BASE = 57_005;
const LAST_BASE = 59_905;
const TCP_PORTS = [-5, 0, 1, 21];
const NATIVE_PORT = 9777 - 47_989;
const UDP_PORTS = [9, 10, 11, NATIVE_PORT];

export class World {
  /** Where screenshots and logs go. */
  readonly artefacts: string;
  /** Holds everything that is gone afterwards. */
  readonly folder: string;
  /** This machine as its neighbours see it; loopback where there is no network. */
  readonly address: string;
  private readonly bin: string;
  private next: number;
  /** Hosts of scenarios that are over, which take their time to end. */
  private readonly ending = new Set<Promise<unknown>>();

  constructor(programs: string, artefacts: string) {
    this.artefacts = resolve(artefacts);
    this.folder = mkdtempSync(join(tmpdir(), "punktfunk-console-"));
    // Started as root, the host becomes another user, which cannot read a checkout of root's.
    chmodSync(this.folder, 0o755);
    this.bin = join(this.folder, "bin");
    mkdirSync(this.bin);
    for (const name of PROGRAMS) {
      copyFileSync(join(programs, name), join(this.bin, name));
      chmodSync(join(this.bin, name), 0o755);
    }
    mkdirSync(this.artefacts, { recursive: true });
    this.address = ownAddress();
    // Runs beside each other begin at different places.
    const places = (LAST_BASE - FIRST_BASE) / 100;
    this.next = FIRST_BASE + ((process.pid * 37) % places) * 100;
  }

  /** Where a program is. */
  program(name: string): string {
    return join(this.bin, name);
  }

  /** A base whose ports are all free now. */
  async freeBase(): Promise<number> {
    for (let tries = 0; tries < 60; tries++) {
      const base = this.next;
      this.next = base < LAST_BASE ? base + 100 : FIRST_BASE;
      const tcp = await Promise.all(TCP_PORTS.map((offset) => tcpIsFree(base + offset)));
      const udp = await Promise.all(UDP_PORTS.map((offset) => udpIsFree(base + offset)));
      if ([...tcp, ...udp].every(Boolean)) return base;
    }
    throw new Error(`no free ports for a host between ${FIRST_BASE} and ${LAST_BASE}`);
  }

  /** Lets something end while the next scenario is played. */
  leave(end: Promise<unknown>): void {
    this.ending.add(end);
    end.catch(() => {}).finally(() => this.ending.delete(end));
  }

  /** Waits until everything that is left to end has ended. */
  async calm(): Promise<void> {
    await Promise.allSettled([...this.ending]);
  }

  /** Removes what it made. */
  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Where a host with this base speaks punktfunk/1. */
export function nativePort(base: number): number {
  return base + NATIVE_PORT;
}

/** The name of a scenario as part of a file's name. */
export function fileName(scenario: string): string {
  return scenario.replace(/[^A-Za-z0-9]+/g, "-");
}

function ownAddress(): string {
  for (const list of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of list ?? []) {
      if (family === "IPv4" && !internal) return address;
    }
  }
  return "127.0.0.1";
}

function tcpIsFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "0.0.0.0", () => server.close(() => done(true)));
  });
}

function udpIsFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createSocket("udp4");
    socket.once("error", () => done(false));
    socket.bind(port, "0.0.0.0", () => socket.close(() => done(true)));
  });
}
