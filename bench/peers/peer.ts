import type { PeerBuilder } from "./build.ts";
import { RunningPeer } from "./running_peer.ts";

/** A server that a suite compares. */
export interface Peer {
  name: string;
  /** What its samples are called, if not by its name. */
  subject?: string;
  /** Whether it is Marquee: then wrong answers are an error, where others are left out. */
  isOurs?: boolean;
  /** Whether it is built from what a package registry has: a quick run has it only if it is asked for. */
  isFetched?: boolean;
  /** For how long a full run asks it before anything counts, if {@linkcode WARM_UP_SECONDS} are too few. */
  warmUpSeconds?: number;
  env?: Record<string, string>;
  /**
   * Builds it, if need be.
   *
   * @returns What starts it and has it print its port
   * @throws {Error} Saying why it can't be had here
   */
  command(builder: PeerBuilder): Promise<string[]>;
}

/** A server that runs and has passed its check. */
export interface StartedPeer<P extends Peer, Checked> {
  peer: P;
  server: RunningPeer;
  checked: Checked;
}

/** Which peers are started, and how. */
export interface StartOptions<P extends Peer, Checked> {
  builder: PeerBuilder;
  /** That all of them are pinned to: only one is ever asked at a time. */
  core: number;
  quick: boolean;
  /** Names that take part; `null` for all, in a quick run those that need nothing fetched. */
  only: RegExp | null;
  /** Asks it what the suite will ask it. */
  check(peer: P, server: RunningPeer): Promise<Checked>;
}

/** For how long a full run asks a server before anything counts. */
export const WARM_UP_SECONDS = 2;
/** The same for one in Java, whose compilers have to share the server's core: from then on its figures are level. */
export const JIT_SECONDS = 20;

/**
 * Builds, starts and checks servers, one after the other. What can't be had here, or answers wrongly, is left out,
 * which the log says with the reason.
 *
 * @param started Ends them
 * @throws {Error} If one of ours answers wrongly
 */
export async function startPeers<P extends Peer, Checked>(
  peers: readonly P[],
  started: AsyncDisposableStack,
  { builder, core, quick, only, check }: StartOptions<P, Checked>,
): Promise<StartedPeer<P, Checked>[]> {
  const isAsked = ({ name, isFetched }: Peer) => only?.test(name) ?? !(quick && isFetched);
  const running: StartedPeer<P, Checked>[] = [];
  for (const peer of peers.filter(isAsked)) {
    let server: RunningPeer | null = null;
    try {
      server = await RunningPeer.start(core, await peer.command(builder), peer.env);
      running.push({ peer, server, checked: await check(peer, server) });
      started.use(server);
    } catch (error) {
      await server?.[Symbol.asyncDispose]();
      if (server !== null && peer.isOurs) throw error;
      console.log(`${peer.name} is left out: ${error instanceof Error ? error.message : error}`);
    }
  }
  const others = peers.filter((peer) => !isAsked(peer)).map(({ name }) => name);
  if (only === null && others.length > 0) {
    console.log(`a quick run leaves out what has to be fetched: ${others.join("; ")}`);
  }
  return running;
}

/** What `deno run` is given, as a {@linkcode Peer} wants it. */
export function denoRun(...args: string[]): Promise<string[]> {
  return Promise.resolve([Deno.execPath(), "run", "--no-prompt", ...args]);
}
