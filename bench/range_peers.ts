import { transportProblem } from "../native/mod.ts";
import { denoRun, JIT_SECONDS, type Peer } from "./peers/peer.ts";
import { START_FLAGS } from "./start_flags.ts";

/** How answers are coded. */
export type Coding = "identity" | "gzip";

/** A server that `bench/ranges.ts` compares. */
export interface RangePeer extends Peer {
  /** In what it is asked for answers. */
  codings: readonly Coding[];
  /** How many bytes it sends whatever is asked: it is a bound, not an answer. */
  constantBytes?: number;
}

const TRANSPORTS = [
  { transport: "uring", name: "io_uring" },
  { transport: "epoll", name: "epoll" },
  { transport: "deno", name: "Deno.serve" },
] as const;

/**
 * The servers that search.
 *
 * @param file A JSON array of search results in the order of answers, for those that are not Marquee
 * @param count How many events Marquee is to have
 */
export function searchPeers(file: string, count: number): RangePeer[] {
  const identity = ["identity"] as const;
  const array = (...args: string[]) =>
    denoRun("--allow-net", "--allow-read", here("peers/deno_filter.ts"), file, ...args);
  return [
    ...TRANSPORTS.map(({ transport, name }): RangePeer => ({
      name: `Marquee, ${name}`,
      isOurs: true,
      codings: ["identity", "gzip"],
      command: () => {
        const problem = transport === "deno" ? null : transportProblem(transport);
        if (problem !== null) throw new Error(problem);
        return denoRun(...START_FLAGS, here("catalogue_server.ts"), String(count), transport);
      },
    })),
    ...["fragments", "json"].map((way): RangePeer => ({
      name: `fasthttp, ${way === "json" ? "json.Marshal" : way}`,
      codings: identity,
      isFetched: true,
      env: { GOMAXPROCS: "1" },
      command: async (builder) => [...await builder.go("fasthttp"), way, file],
    })),
    {
      name: "Gin, json.Marshal",
      codings: identity,
      isFetched: true,
      env: { GOMAXPROCS: "1" },
      command: async (builder) => [...await builder.go("gin"), "json", file],
    },
    ...["fragments", "json"].map((way): RangePeer => ({
      name: `Netty, ${way === "json" ? "Jackson" : way}`,
      codings: identity,
      isFetched: true,
      warmUpSeconds: JIT_SECONDS,
      command: async (builder) => [...await builder.netty(), way, file],
    })),
    {
      name: "Node http, JSON.stringify",
      codings: identity,
      command: async (builder) => [...await builder.node("node_server.mjs"), "json", file],
    },
    {
      name: "fastify, its serialiser",
      codings: identity,
      isFetched: true,
      command: async (builder) => [...await builder.fastify(), "json", file],
    },
    {
      name: "Bun.serve, Response.json",
      codings: identity,
      isFetched: true,
      command: async (builder) => [...await builder.bun(), "json", file],
    },
    {
      name: "Deno.serve, array with an index",
      codings: identity,
      command: () => array("index"),
    },
    { name: "Deno.serve, array filtered", codings: identity, command: () => array("filter") },
    {
      name: "Deno.serve, gzipSync a request",
      codings: ["gzip"],
      command: () => array("index", "gzip"),
    },
  ];
}

/**
 * The servers that send a constant of the size that answers have on average: nginx a file, Deno.serve with a single
 * header and with as many as /search has.
 */
export function boundPeers(path: string, coding: Coding, constantBytes: number): RangePeer[] {
  const constant = (...args: string[]) =>
    denoRun("--allow-net", here("constant_server.ts"), String(constantBytes), ...args);
  const bound = { codings: [coding], constantBytes };
  return [
    {
      ...bound,
      name: "nginx, a file",
      command: (builder) => builder.nginx(path, "x".repeat(constantBytes)),
    },
    { ...bound, name: "Deno.serve, a constant", command: () => constant() },
    {
      ...bound,
      name: "  with the headers of /search",
      subject: "Deno.serve, a constant with the headers of /search",
      command: () => constant("--headers"),
    },
  ];
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
