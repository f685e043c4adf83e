import { BODY } from "./peers/checked_constant.ts";

/** A server that `bench/listener.ts` compares. */
export interface Peer {
  name: string;
  /** What its samples are called, if not by its name. */
  subject?: string;
  /** Whether a quick run has it too. */
  isQuick: boolean;
  env?: Record<string, string>;
  /**
   * Builds it, if need be.
   *
   * @param folder Where to, which exists and is the bench's own
   * @returns What starts it and has it print its port
   * @throws {Error} Saying why it can't be had here
   */
  command(folder: string): Promise<string[]>;
}

const BYTES = String(BODY.length);
/** How long a build may take, what it needs fetched. */
const BUILD_MS_MAX = 180_000;
/** Where Go's own installer puts it. */
const GO = "/usr/local/go/bin/go";

/** All servers; the first is the floor that the others are compared with. */
export const PEERS: readonly Peer[] = [
  {
    name: "C, io_uring",
    isQuick: true,
    command: (folder) => compile(folder, "c_uring", "-luring"),
  },
  { name: "C, epoll", isQuick: true, command: (folder) => compile(folder, "c_epoll") },
  ...["uring", "epoll"].map((transport) => ({
    name: `ours, ${transport}`,
    subject: `Marquee, ${transport === "uring" ? "io_uring" : transport}`,
    isQuick: true,
    command: () =>
      deno("-A", here("native_server.ts"), `--transport=${transport}`, `--bytes=${BYTES}`),
  })),
  {
    name: "Deno.serve",
    isQuick: true,
    command: () => deno("--allow-net", here("constant_server.ts"), BYTES),
  },
  { name: "nginx, a file", isQuick: false, command: nginx },
  {
    name: "fasthttp",
    isQuick: false,
    env: { GOMAXPROCS: "1" },
    command: async (folder) => [await goBuild(folder, "fasthttp"), "-constant", BYTES],
  },
  {
    name: "Gin",
    isQuick: false,
    env: { GOMAXPROCS: "1" },
    command: async (folder) => [await goBuild(folder, "gin"), BYTES],
  },
  {
    name: "Node http",
    isQuick: false,
    command: async () => {
      await output("node", ["--version"]);
      return ["node", here("peers/node_constant.mjs"), BYTES];
    },
  },
  { name: "Bun.serve", isQuick: false, command: bun },
];

async function compile(folder: string, name: string, ...libraries: string[]): Promise<string[]> {
  const binary = `${folder}/${name}`;
  await output("cc", ["-O2", "-o", binary, here(`peers/${name}.c`), ...libraries]);
  return [binary];
}

function deno(...args: string[]): Promise<string[]> {
  return Promise.resolve([Deno.execPath(), "run", "--no-prompt", ...args]);
}

async function goBuild(folder: string, name: string): Promise<string> {
  const binary = `${folder}/${name}`;
  const args = ["build", "-o", binary, "."];
  const cwd = here(`peers/${name}`);
  await output("go", args, cwd).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return output(GO, args, cwd);
  });
  return binary;
}

/** nginx can't be asked for any free port: it gets one that was free a moment ago. */
async function nginx(folder: string): Promise<string[]> {
  await output("nginx", ["-v"]);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await Deno.writeTextFile(`${folder}/answer`, BODY);
  await Deno.writeTextFile(
    `${folder}/nginx.conf`,
    `daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  client_body_temp_path ${folder}/nginx;
  proxy_temp_path ${folder}/nginx;
  fastcgi_temp_path ${folder}/nginx;
  uwsgi_temp_path ${folder}/nginx;
  scgi_temp_path ${folder}/nginx;
  access_log off;
  keepalive_requests 100000000;
  open_file_cache max=16;
  open_file_cache_valid 1h;
  tcp_nodelay on;
  default_type application/json;
  etag off;
  max_ranges 0;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder};
  }
}
`,
  );
  const start = ["nginx", "-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"];
  return ["sh", "-c", `echo '"port":${port}'; exec "$@"`, "sh", ...start];
}

/** The binary that npm's package has, so that npm is not measured. */
async function bun(): Promise<string[]> {
  const path = await output("npx", ["--yes", "--package=bun", "-c", "command -v bun"]);
  return [path.trim(), here("peers/bun_constant.mjs"), BYTES];
}

/** @throws {Error} With what it said, if it failed; NotFound if it is not there */
async function output(program: string, args: string[], cwd?: string): Promise<string> {
  const signal = AbortSignal.timeout(BUILD_MS_MAX);
  const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd, signal })
    .output();
  if (!success) throw new Error(`${program} says:\n${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
