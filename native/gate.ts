import type { FastAnswer, FastRequest } from "./fast_route.ts";

/**
 * Asked before any route, fast or not, whether a request is answered at all: what limits rates stands here. It runs in
 * the listener thread, so what it refuses costs the main thread nothing.
 */
export interface Gate {
  /**
   * A number for a client by which {@linkcode Gate.admits} knows it, asked once a connection. A gate without this method
   * saves the operation by which the kernel is asked for addresses.
   *
   * @param hostname The address of the client; empty where the kernel does not tell
   * @returns A whole number of 32 bits
   */
  identify?(hostname: string): number;
  /**
   * Whether a request is let through. It must not wait for anything.
   *
   * @param request Valid during the call
   * @param client What {@linkcode Gate.identify} gave for this connection; 0 without that method
   */
  admits(request: FastRequest, client: number): boolean;
  /**
   * Writes the answer to the request that was just not let through. Where a body is still to come, the connection is
   * closed behind it.
   *
   * @param request Valid during the call
   * @param answer Valid during the call
   */
  refuse(request: FastRequest, answer: FastAnswer): void;
}
