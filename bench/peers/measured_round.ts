import { NoAnswerError } from "../wrk.ts";
import type { RunningPeer } from "./running_peer.ts";

/** What a server took for a load. */
export interface ServerCost {
  /** CPU time for each request. */
  cpuMicroseconds: number;
  /** How much of its core the server had. */
  cpuPercent: number;
}

/** A machine that others use too may leave a server without a turn for a whole round: it gets as many. */
const ROUNDS_MAX = 5;

/**
 * Makes a load and sees what CPU time the server took for it.
 *
 * @param load May be called again, if nothing was answered
 * @throws {Error} What `load` throws, with the server's name
 */
export async function measureRound<Load extends { requests: number; requestsPerSecond: number }>(
  name: string,
  server: RunningPeer,
  load: () => Promise<Load>,
): Promise<Load & ServerCost> {
  for (let round = 1;; round++) {
    try {
      const before = await server.cpuMicroseconds();
      const seen = await load();
      const cpuMicroseconds = (await server.cpuMicroseconds() - before) / seen.requests;
      return {
        ...seen,
        cpuMicroseconds,
        cpuPercent: cpuMicroseconds * seen.requestsPerSecond / 1e4,
      };
    } catch (error) {
      if (!(error instanceof NoAnswerError) || round === ROUNDS_MAX) {
        throw new Error(`${name} was not measured`, { cause: error });
      }
      console.log(`${name} answered nothing: asked again`);
    }
  }
}
