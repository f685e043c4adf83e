/**
 * Where the overload benches run: the service, as users start it, on one host and its client on another, two network
 * namespaces joined by a cable, each with a core of its own. Without root, iproute2 or nftables both are on loopback,
 * and the kernel cannot shed.
 *
 * @module
 */
import { JoinedNamespaces, networkNamespaceProblem } from "../limits/testing/network_namespaces.ts";
import type { LoadOrder, LoadSecond } from "./load_client.ts";
import { MeasuredProcess } from "./measured_process.ts";
import { START_FLAGS } from "./start_flags.ts";

const SERVER_CORE = 0;
const CLIENT_CORE = 1;
/** Plans of the demo provider's feed: a day has about fifty events. */
export const PLANS = 10_000;
const PATHS = 1_000;
const DAY_MS = 86_400_000;
/** Days from today in which searches begin; the feed is as dense all the while. */
const FIRST_DAY = 5, LAST_DAY = 35;
/** How much longer than a second may be waited for the news of one. */
const SECOND_MS_MAX = 15_000;

/** How a service is started for a bench. */
export interface ServiceOptions {
  transport: "uring" | "epoll" | "deno";
  /** Its other settings. */
  environment?: Record<string, string>;
  /** What is started instead of the service's own program, which it resembles. */
  program?: string;
}

/** Two hosts, or loopback. Disposing of them ends all that was started on them. */
export class ServiceHosts implements AsyncDisposable {
  /** Why both are on loopback, in one line; `null` where they are not. */
  readonly problem: string | null;
  readonly #hosts: JoinedNamespaces | null;
  readonly #started = new AsyncDisposableStack();

  private constructor(hosts: JoinedNamespaces | null, problem: string | null) {
    this.#hosts = hosts;
    this.problem = problem;
    if (hosts !== null) this.#started.use(hosts);
  }

  /** Makes two hosts, or takes loopback for both. */
  static async open(): Promise<ServiceHosts> {
    const problem = await networkNamespaceProblem();
    if (problem !== null) return new ServiceHosts(null, problem);
    const hosts = new ServiceHosts(await JoinedNamespaces.make(), null);
    await hosts.#prepare();
    return hosts;
  }

  /** Takes loopback, where this process can reach the service too. */
  static onLoopback(): ServiceHosts {
    return new ServiceHosts(null, "it was asked for");
  }

  /** Starts a service and its provider, and waits until it has events to search. */
  async startService({ transport, environment = {}, program }: ServiceOptions): Promise<Service> {
    const provider = this.#started.use(this.#process(null, "server", [
      ...["--allow-net", here("../demo/main.ts"), "--port=0", `--plans=${PLANS}`],
      ...["--change-share=0", "--season-speed=0", "--bad-plans=0"],
    ]));
    const [, providerUrl] = await provider.line(/listens on (\S+)/);
    const address = this.#hosts?.serverAddresses.ipv4 ?? "127.0.0.1";
    const process = this.#started.use(
      this.#process(SERVER_CORE, "server", [...START_FLAGS, program ?? here("../main.ts")], {
        PORT: "0",
        HOST: address,
        ADMIN_PORT: "0",
        ADMIN_HOST: address,
        TRANSPORT: transport,
        WORKERS: "1",
        KV_PATH: ":memory:",
        PROVIDER_URL: providerUrl,
        POLL_INTERVAL: "24h",
        LOG_FORMAT: "json",
        SLOW_REQUEST: "1h",
        ...environment,
      }),
    );
    const [, port] = await process.line(/"Search:.*"port":(\d+)|"port":(\d+).*Search:/)
      .then((match) => match.filter((part) => part !== undefined));
    const [, adminPort] = await process.line(/Admin:.*"port":(\d+)/);
    await process.line(/"outcome":"changed"/);
    await process.idle();
    process.discardOutput();
    return {
      process,
      url: `http://${address}:${port}`,
      metricsUrl: `http://${address}:${adminPort}/metrics`,
    };
  }

  /** Begins a load of one-day ranges on a service. */
  async startLoad(
    service: Service,
    options: Omit<LoadOrder["load"], "url" | "paths">,
  ): Promise<ServiceLoad> {
    const client = this.#started.use(this.#process(CLIENT_CORE, "client", [
      ...["--allow-net", "--allow-read", "--allow-ffi", "--allow-env", here("load_client.ts")],
    ]));
    const order: LoadOrder = {
      load: { ...options, url: service.url, paths: dayPaths() },
      metricsUrl: service.metricsUrl,
    };
    await client.write(JSON.stringify(order));
    return new ServiceLoad(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started.disposeAsync();
  }

  /**
   * Has packets that arrive at a host worked on by its own core (Receive Packet Steering): else what the packet filter
   * refuses would be paid for by the client, whose packets run through to the other end of the cable.
   */
  async #prepare(): Promise<void> {
    const { server, client } = this.#hosts!;
    for (
      const [host, device, core] of [[server, "server", SERVER_CORE], [
        client,
        "client",
        CLIENT_CORE,
      ]] as const
    ) {
      const mask = (1 << core).toString(16);
      await host.run("sh", ["-c", `echo ${mask} > /sys/class/net/${device}/queues/rx-0/rps_cpus`]);
    }
    // Who was answered 503 closes, and its port waits a minute, or a second with this: as if there were many hosts.
    await client.run("sysctl", ["-qw", "net.ipv4.tcp_tw_reuse=1"]);
    await client.run("sysctl", ["-qw", "net.ipv4.ip_local_port_range=1024 65535"]);
  }

  #process(
    core: number | null,
    host: "server" | "client",
    args: string[],
    environment: Record<string, string> = {},
  ): MeasuredProcess {
    // What a service logs under overload is read and dropped, whichever way it goes.
    const deno = ["sh", "-c", 'exec "$@" 2>&1', "sh", Deno.execPath(), "run", "--no-prompt"];
    const program = this.#hosts === null
      ? deno
      : ["ip", ...this.#hosts[host].inside(deno[0], deno.slice(1))];
    return new MeasuredProcess(core, args, environment, program);
  }
}

/** A service that runs. */
export interface Service {
  process: MeasuredProcess;
  url: string;
  metricsUrl: string;
}

/** A load that runs. */
export class ServiceLoad {
  readonly #client: MeasuredProcess;

  /** @param client The process that makes it */
  constructor(client: MeasuredProcess) {
    this.#client = client;
  }

  /** Changes how many connections it holds. */
  async setConnections(connections: number): Promise<void> {
    await this.#client.write(String(connections));
  }

  /**
   * What the next seconds are like.
   *
   * @throws {Error} If the load cannot be made
   */
  async seconds(count: number): Promise<LoadSecond[]> {
    const seconds: LoadSecond[] = [];
    while (seconds.length < count) {
      const [line] = await this.#client.line(/^{.*/, SECOND_MS_MAX);
      const news = JSON.parse(line) as LoadSecond & { failed?: string; ended?: unknown };
      if (news.failed !== undefined || news.ended !== undefined) {
        throw new Error(`the load ended: ${news.failed ?? JSON.stringify(news.ended)}`);
      }
      seconds.push(news);
    }
    return seconds;
  }

  /** Ends it, and waits until it has. */
  async stop(): Promise<void> {
    await this.#client.write("stop");
    await this.#client.line(/"ended"|"failed"/, SECOND_MS_MAX);
  }
}

/** Searches for one day each, over the part of the season that is full. */
function dayPaths(): string[] {
  const firstMs = (Math.floor(Date.now() / DAY_MS) + FIRST_DAY) * DAY_MS;
  const stepMs = (LAST_DAY - FIRST_DAY) * DAY_MS / PATHS;
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 19);
  return Array.from({ length: PATHS }, (_, number) => {
    // In no order of time, each once.
    const startMs = firstMs + Math.round(number * 617 % PATHS * stepMs);
    return `/search?starts_at=${time(startMs)}&ends_at=${time(startMs + DAY_MS)}`;
  });
}

function here(file: string): string {
  return new URL(file, import.meta.url).pathname;
}
