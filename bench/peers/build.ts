/** How long a build may take, what it needs fetched; then its servers are left out. */
const BUILD_MS_MAX = 180_000;
/** Where Go's own installer puts it. */
const GO = "/usr/local/go/bin/go";
/** Netty's name of the processor, for its io_uring. */
const NETTY_CPU = { x86_64: "x86_64", aarch64: "aarch_64" };
const MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies";
/**
 * The heap is touched before anything is measured, and large enough for few collections; on one core, by one thread.
 * Tried without a difference: buffer rings, the pooled allocator, bounds and leak checks left out.
 */
const JAVA_FLAGS = ["-Xms1g", "-Xmx1g", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC"];

/**
 * Builds servers of `bench/peers` into a folder, each once, with what their toolchains have locked: versions and
 * checksums in go.sum and package-lock.json, versions in pom.xml with Maven's own checksums. Every method returns what
 * starts the server, without its arguments, and throws an Error that says why it can't be had here.
 */
export class PeerBuilder {
  readonly #folder: string;
  readonly #built = new Map<string, Promise<string[]>>();

  /** @param folder Which exists, and is the caller's to remove */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A program of one file in C. */
  c(name: string, ...libraries: string[]): Promise<string[]> {
    return this.#once(name, async (binary) => {
      await output("cc", ["-O2", "-o", binary, here(`${name}.c`), ...libraries]);
      return [binary];
    });
  }

  /** A program of the module in `go/`. */
  go(name: string): Promise<string[]> {
    return this.#once(name, async (binary) => {
      const args = ["build", "-o", binary, `./${name}`];
      await output("go", args, here("go")).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        return output(GO, args, here("go"));
      });
      return [binary];
    });
  }

  /** Netty's server, on io_uring. */
  netty(): Promise<string[]> {
    return this.#once("netty", async (folder) => {
      await output("mvn", [
        ...["--batch-mode", "--quiet", "--strict-checksums", "--file", here("netty/pom.xml")],
        ...[MAVEN_COPY, `-DoutputDirectory=${folder}/lib`],
        `-Dnative.classifier=linux-${NETTY_CPU[Deno.build.arch]}`,
      ]);
      const sources = ["NettyServer.java", "RangeIndex.java"].map((file) => here(`netty/${file}`));
      await output("javac", ["-cp", `${folder}/lib/*`, "-d", `${folder}/classes`, ...sources]);
      return ["java", ...JAVA_FLAGS, "-cp", `${folder}/classes:${folder}/lib/*`, "NettyServer"];
    });
  }

  /** A server for Node that needs nothing from npm. */
  node(file: string): Promise<string[]> {
    return this.#once("node", async () => {
      // Where there is no Node, Deno puts itself on the PATH of its children as `node`.
      const deno = await output("node", ["-p", "process.versions.deno ?? ''"]);
      if (deno.trim() !== "") throw new Error("there is no Node, only Deno standing in for it");
      return ["node"];
    }).then((node) => [...node, here(file)]);
  }

  /** fastify's server. */
  async fastify(): Promise<string[]> {
    const [modules] = await this.#npm();
    return [...await this.node("fastify_server.mjs"), modules];
  }

  /** Bun's server, by the binary that is in npm's package, so that npm is not measured. */
  async bun(): Promise<string[]> {
    const [modules] = await this.#npm();
    return [`${modules}/.bin/bun`, here("bun_server.mjs")];
  }

  /** The packages of `npm/`. */
  #npm(): Promise<string[]> {
    return this.#once("npm", async (folder) => {
      await Deno.mkdir(folder);
      for (const file of ["package.json", "package-lock.json"]) {
        await Deno.copyFile(here(`npm/${file}`), `${folder}/${file}`);
      }
      await output("npm", ["ci", "--no-audit", "--no-fund"], folder);
      return [`${folder}/node_modules`];
    });
  }

  /**
   * nginx with one file, as one would have it send files: one worker process, open files remembered, no log. sendfile
   * stays off, as is its default: for files of this size it took more CPU, with tcp_nopush and without. nginx can't be
   * asked for any free port: it gets one that was free a moment ago.
   *
   * @param path Where the file is, from "/"
   */
  nginx(path: string, body: string): Promise<string[]> {
    return this.#once(`nginx-${body.length}`, async (folder) => {
      await output("nginx", ["-v"]);
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}${path}`, body);
      await Deno.writeTextFile(`${folder}/nginx.conf`, nginxSettings(folder, port));
      const start = ["nginx", "-p", folder, "-c", `${folder}/nginx.conf`, "-e", "stderr"];
      return ["sh", "-c", `echo '"port":${port}'; exec "$@"`, "sh", ...start];
    });
  }

  #once(name: string, build: (path: string) => Promise<string[]>): Promise<string[]> {
    const known = this.#built.get(name);
    if (known !== undefined) return known;
    const built = build(`${this.#folder}/${name}`);
    this.#built.set(name, built);
    return built;
  }
}

function nginxSettings(folder: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((of) => `${of}_temp_path ${folder}/temporary;`).join("\n  ");
  return `daemon off;
user root;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  ${temporary}
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
`;
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
