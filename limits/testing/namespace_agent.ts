/**
 * Does in a network namespace what it is told, a command a line and an answer a line, both JSON: listens, connects, or
 * keeps a packet filter. It is what a test has on each of its hosts.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { PacketFilter, packetFilterProblem } from "../packet_filter.ts";

/** What became of a number of connection attempts. */
export interface Attempts {
  admitted: number;
  /** Those that ended with a TCP reset. */
  refused: number;
  /** The errors of all others. */
  failed: string[];
}

const connections: Deno.TcpConn[] = [];
let accepted = 0, closesEnded = true;
let filter: PacketFilter | null = null;

const commands = {
  /** Listens on a free port of all addresses and accepts whoever comes. */
  listen(): number {
    const listener = Deno.listen({ hostname: "::", port: 0 });
    acceptAll(listener);
    return listener.addr.port;
  },
  /** From now on, connections that the other side has ended are not closed. */
  neverClose(): void {
    closesEnded = false;
  },
  accepted: () => accepted,
  /** Tries so many connections, one after the other, and keeps those that are admitted. */
  async connect(hostname: string, port: number, count: number): Promise<Attempts> {
    const attempts: Attempts = { admitted: 0, refused: 0, failed: [] };
    for (let i = 0; i < count; i++) {
      try {
        connections.push(await Deno.connect({ hostname, port }));
        attempts.admitted++;
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionRefused) attempts.refused++;
        else attempts.failed.push(String(error));
      }
    }
    return attempts;
  },
  /** Begins so many connections and does not wait for them. */
  beginConnecting(hostname: string, port: number, count: number): void {
    for (let i = 0; i < count; i++) {
      Deno.connect({ hostname, port }).then((one) => connections.push(one), () => {});
    }
  },
  /**
   * Tries so many connections at equal distances and closes each at once.
   *
   * @returns How long each took, in microseconds, ascending
   */
  async timeConnects(
    hostname: string,
    port: number,
    count: number,
    everyMs: number,
  ): Promise<number[]> {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      const begun = performance.now();
      const connection = await Deno.connect({ hostname, port }).catch(() => null);
      took.push(Math.round((performance.now() - begun) * 1_000));
      connection?.close();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    return took.sort((a, b) => a - b);
  },
  /**
   * Moves the limit to and fro.
   *
   * @returns How long each change took, in microseconds, ascending
   */
  async timeChanges(limits: number[], count: number): Promise<number[]> {
    const took: number[] = [];
    for (let i = 0; i < count; i++) {
      const begun = performance.now();
      await filter!.apply(limits[i % limits.length]);
      took.push(Math.round((performance.now() - begun) * 1_000));
    }
    return took.sort((a, b) => a - b);
  },
  /** Closes so many connections, the oldest first. */
  disconnect(count: number): void {
    for (const connection of connections.splice(0, count)) connection.close();
  },
  /** Sends a byte on every connection and tells how many took it and were still open. */
  async use(): Promise<number> {
    const sent = await Promise.allSettled(connections.map((one) => one.write(new Uint8Array(1))));
    return sent.filter(({ status }) => status === "fulfilled").length;
  },
  /** Ends the sending side of every connection, and no more. */
  async endSending(): Promise<void> {
    await Promise.all(connections.map((one) => one.closeWrite()));
  },
  async openFilter(port: number, tiers: number[], limit: number): Promise<string> {
    filter = await PacketFilter.open({ port, tiers, limit });
    return filter.leftover;
  },
  apply: (limits: number[]) => Promise.all(limits.map((limit) => filter!.apply(limit))),
  rejections: () => filter!.rejections(),
  closeFilter: () => filter!.close(),
  problem: () => packetFilterProblem(),
};

/** The commands, as the test sees them. */
export type AgentCommands = typeof commands;

async function acceptAll(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) {
    accepted++;
    keepOpen(connection);
  }
}

async function keepOpen(connection: Deno.TcpConn): Promise<void> {
  const bytes = new Uint8Array(64);
  try {
    while (await connection.read(bytes) !== null);
    if (!closesEnded) return void connections.push(connection);
  } catch {
    // Reset.
  }
  connection.close();
}

if (import.meta.main) {
  for await (
    const line of createInterface({ input: process.stdin })
  ) {
    const [name, ...args] = JSON.parse(line) as [keyof AgentCommands, ...unknown[]];
    let answer: unknown;
    try {
      const command = commands[name] as (...args: unknown[]) => unknown;
      answer = { value: await command(...args) ?? null };
    } catch (error) {
      answer = { error: (error as Error).message };
    }
    console.log(JSON.stringify(answer));
  }
  Deno.exit(0);
}
