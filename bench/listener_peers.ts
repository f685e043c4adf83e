import { BODY } from "./peers/checked_constant.ts";
import { denoRun, JIT_SECONDS, type Peer } from "./peers/peer.ts";
import { PATH } from "./listener_load.ts";

const BYTES = String(BODY.length);

/** The servers that `bench/listener.ts` compares; the first is the floor that the others are compared with. */
export const PEERS: readonly Peer[] = [
  { name: "C, io_uring", command: (builder) => builder.c("c_uring", "-luring") },
  { name: "C, epoll", command: (builder) => builder.c("c_epoll") },
  ...["uring", "epoll"].map((transport): Peer => ({
    name: `ours, ${transport}`,
    subject: `Marquee, ${transport === "uring" ? "io_uring" : transport}`,
    isOurs: true,
    command: () =>
      denoRun("-A", here("native_server.ts"), `--transport=${transport}`, `--bytes=${BYTES}`),
  })),
  {
    name: "Deno.serve",
    command: () => denoRun("--allow-net", here("constant_server.ts"), BYTES),
  },
  { name: "nginx, a file", command: (builder) => builder.nginx(PATH, BODY) },
  {
    name: "fasthttp",
    isFetched: true,
    env: { GOMAXPROCS: "1" },
    command: async (builder) => [...await builder.go("fasthttp"), "constant", BYTES],
  },
  {
    name: "Gin",
    isFetched: true,
    env: { GOMAXPROCS: "1" },
    command: async (builder) => [...await builder.go("gin"), "constant", BYTES],
  },
  {
    name: "Netty, io_uring",
    isFetched: true,
    warmUpSeconds: JIT_SECONDS,
    command: async (builder) => [...await builder.netty(), "constant", BYTES],
  },
  {
    name: "Node http",
    command: async (builder) => [...await builder.node("node_server.mjs"), "constant", BYTES],
  },
  {
    name: "fastify",
    isFetched: true,
    command: async (builder) => [...await builder.fastify(), "constant", BYTES],
  },
  {
    name: "Bun.serve",
    isFetched: true,
    command: async (builder) => [...await builder.bun(), "constant", BYTES],
  },
];

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
