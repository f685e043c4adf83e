/**
 * Marquee's program: reads the settings, puts the parts together and runs until it is told to stop.
 *
 * @module
 */
import { dirname } from "node:path";
import { Catalogue } from "./catalogue/mod.ts";
import { builderStarter } from "./catalogue_thread.ts";
import { openFeedPool } from "./feed_pool.ts";
import { createDemoProvider, serveDemoProvider } from "./demo/mod.ts";
import { announce } from "./announcement.ts";
import denoJson from "./deno.json" with { type: "json" };
import {
  type BreakerState,
  type FeedPool,
  Poller,
  type Provider,
  providerNames,
  schedule,
  XmlProvider,
} from "./poller/mod.ts";
import {
  adminRoutes,
  boardRoute,
  BODY_BYTES_MAX,
  type CatalogueNews,
  ChangeFeed,
  type Check,
  createApp,
  documentRoutes,
  eventRoute,
  healthRoute,
  readyRoute,
  type Route,
  searchRoute,
  STREAM_CHANGES_KEPT,
  streamRoute,
} from "./routes/mod.ts";
import { chooseMemory } from "./memory_source.ts";
import { observePoll, RequestObserver } from "./observers.ts";
import { Overload } from "./overload.ts";
import { readSettings, type Settings, SettingsError, settingsHelp } from "./settings.ts";
import { type PollRecord, Store } from "./store/mod.ts";
import {
  configureLogging,
  describeError,
  DURATION_BUCKETS,
  logger,
  Metrics,
  oldestAgeSeconds,
} from "./telemetry/mod.ts";
import { type NativeServer, openPublicServer, serveDeno, settlesWithin } from "./transports/mod.ts";

const VERSION = denoJson.version;
const STARTED_AT = Date.now();
const DEFAULT_KV_PATH = "data/marquee.kv";
/** How long POST /poll waits for what it made to be seen; then it answers. */
const VISIBLE_WAIT_MS_MAX = 10_000;

const settings = settingsOrExit();
configureLogging({
  format: settings.logFormat ?? (Deno.stdout.isTerminal() ? "text" : "json"),
  level: settings.logLevel,
});
const log = logger("service");

// Deno ends the process at either of these unless somebody takes it; one bad request is not worth all the others.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  log.error("Unhandled rejection: {error}", { error: describeError(event.reason) });
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  log.error("Uncaught error: {error}", { error: describeError(event.error) });
});

const stopping = new AbortController();
const edge = edgeHost(settings);

// Hosts like Deno Deploy only know of crons that are registered before anything is awaited or served; a tick that comes
// before the service runs finds nothing to poll.
let pollNow: (isRequest?: boolean) => Promise<PollRecord[]> = () => Promise.resolve([]);
const scheduled = schedule(settings.pollIntervalMs, () => pollNow(), stopping.signal);

try {
  await run();
} catch (error) {
  log.fatal("Marquee cannot start: {error}", { error: (error as Error).message });
  Deno.exit(1);
}

async function run(): Promise<void> {
  const feedPool = openFeedPool(settings.providerUrls.length, settings.providerTimeoutMs);
  const providers = createProviders(feedPool);
  const names = providers.map(({ name }) => name);
  const kvPath = await prepareKvPath();
  const store = await Store.open({
    path: kvPath,
    providers: names,
    onError: (error) => log.error("The store failed: {error}", { error: describeError(error) }),
  });
  const memory = chooseMemory();
  const catalogue = new Catalogue({
    storeId: store.id,
    policy: settings.sellModePolicy,
    source: memory.source,
    startBuilder: builderStarter(settings.sellModePolicy, memory.source),
    onPublish: (edition) => native?.publish(edition),
  });
  let native: NativeServer | null = null;
  const overload = new Overload(settings);
  const past = await pastChanges(store);
  const feed = new ChangeFeed(past);
  const breakers: Record<string, BreakerState> = Object.fromEntries(
    names.map((name) => [name, "closed"]),
  );
  const lastPolls: Record<string, PollRecord> = {};

  const checks = (): Check[] => [
    {
      name: "catalogue",
      isPassing: catalogue.edition !== null,
      detail: catalogue.edition === null ? "being loaded" : `version ${catalogue.edition.version}`,
    },
    {
      name: "running",
      isPassing: !stopping.signal.aborted,
      detail: stopping.signal.aborted ? "shutting down" : "accepts requests",
    },
    overload.check(),
  ];
  const publicRoutes: Route[] = [
    searchRoute(catalogue),
    eventRoute(catalogue, settings.sellModePolicy),
    streamRoute(feed),
    healthRoute(VERSION, STARTED_AT),
    readyRoute(checks),
    boardRoute(),
  ];
  publicRoutes.push(...documentRoutes({
    title: "Marquee",
    version: VERSION,
    description: "Search for events, answered from memory whatever state their provider is in.",
  }, publicRoutes));

  const catalogueAge = () =>
    oldestAgeSeconds(names.map((name) => catalogue.sightings[name]), STARTED_AT, Date.now());
  /** What waits for a thread, by pool. */
  const queueDepths = () => ({ parse: feedPool.queueDepth, build: catalogue.queueDepth });
  const admin = adminRoutes({
    pollLog: store,
    poll: async () => {
      const polls = await pollNow(true);
      if (polls.length > 0) {
        // Whoever asked looks at once. What takes longer comes all the same.
        const version = Math.max(...polls.map((poll) => poll.version));
        await settlesWithin(
          Promise.all([catalogue.reaches(version), store.settled()]),
          VISIBLE_WAIT_MS_MAX,
        );
      }
      return polls;
    },
    metrics: async () => ({
      contentType: metrics.registry.contentType,
      text: await metrics.registry.metrics(),
    }),
    stats: () => ({
      version: VERSION,
      uptime_seconds: Math.floor(performance.now() / 1_000),
      transport: publicServer.transport,
      connections: overload.connections,
      requests: metrics.http.requests,
      requests_per_second: metrics.requestRate.perSecond(),
      bytes_sent: metrics.http.bytesSent,
      catalogue: {
        version: catalogue.edition?.version ?? 0,
        events: catalogue.edition?.size ?? 0,
        events_hidden: catalogue.size - (catalogue.edition?.size ?? 0),
        bytes: catalogue.byteLength,
        age_seconds: catalogueAge(),
      },
      providers: names.map((name) => ({
        name,
        breaker: breakers[name],
        last_poll: lastPolls[name]?.outcome ?? null,
        last_read: catalogue.sightings[name] === undefined
          ? null
          : new Date(catalogue.sightings[name]).toISOString(),
      })),
      streams: feed.subscribers,
      overload: overload.stats(),
      worker_pool_queue_depth: queueDepths(),
      memory: Deno.memoryUsage(),
    }),
  }, {
    prefix: edge === null ? "" : "/admin",
    token: settings.adminToken,
    isReadProtected: edge !== null,
  });

  const served = edge !== null && settings.adminToken !== null
    ? [...publicRoutes, ...admin]
    : publicRoutes;
  const metrics = new Metrics([...served.map(({ path }) => path), "unknown"], {
    catalogue: () => ({
      events: catalogue.edition?.size ?? 0,
      version: catalogue.edition?.version ?? 0,
      bytes: catalogue.byteLength,
      ageSeconds: catalogueAge(),
    }),
    scaling: () => overload.read(),
    connections: () => overload.connections,
    queues: queueDepths,
  });
  for (const name of names) metrics.breakerState.set({ provider: name }, 0);
  const observer = new RequestObserver(metrics, settings);

  const poller = new Poller({
    providers,
    store,
    onPoll: (record) => {
      lastPolls[record.provider] = record;
      observePoll(metrics, record);
    },
    onStoreError: (provider, error) => {
      metrics.polls.inc({ provider, outcome: "failed" });
      logger("poller").error("The poll of {provider} could not be stored: {error}", {
        provider,
        error: error.message,
      });
    },
    onStandby: (provider) => {
      // Whoever polls now knows how the provider is; what this one has met is of the past.
      breakers[provider] = "closed";
      metrics.breakerState.set({ provider }, 0);
      logger("poller").debug("Another process polls {provider}", { provider });
    },
    onBreaker: (provider, state) => {
      breakers[provider] = state;
      metrics.breakerState.set({ provider }, state === "open" ? 2 : state === "half_open" ? 1 : 0);
      logger("poller").warn("The circuit breaker of {provider} is {state}", { provider, state });
    },
  });

  const loaded = Promise.withResolvers<void>();
  const following = follow(store, catalogue, feed, past.at(-1)?.version ?? 0, loaded.resolve);
  const onFailure = (what: "public" | "admin") => (error: Error) =>
    log.error("The {what} listener failed, and goes on: {error}", { what, error: error.message });
  const publicServer = await openPublicServer({
    transport: settings.transport,
    hostname: settings.host,
    port: settings.port,
    tls: await readTls(),
    threads: settings.workers,
    connectionsMax: settings.maxConnections,
    connectionLimit: overload.listenerLimit,
    headerTimeoutMs: settings.headerTimeoutMs,
    idleTimeoutMs: settings.idleTimeoutMs,
    bodyTimeoutMs: settings.requestTimeoutMs,
    writeTimeoutMs: settings.writeTimeoutMs,
    bodyBytesMax: BODY_BYTES_MAX,
    durationBounds: DURATION_BUCKETS,
    module: new URL("./listener_worker.ts", import.meta.url),
    data: {
      version: VERSION,
      startedAt: STARTED_AT,
      logRequests: settings.logRequests,
      slowRequestMs: settings.slowRequestMs,
      rateLimit: overload.rateLimit,
    },
    onLogged: (logged) => observer.log({ ...logged, error: null }, logged.isSlow),
    handler: createApp({
      routes: served,
      refuse: (request, path, info) => overload.refuse(request, path, info),
      requestTimeoutMs: settings.requestTimeoutMs,
      onAnswered: (answered) => observer.observe(answered),
    }),
    onFailure: onFailure("public"),
  });
  native = publicServer.native;
  if (native !== null) {
    const server = native;
    metrics.http.addListener(() => server.statistics());
    if (catalogue.edition !== null) native.publish(catalogue.edition);
  }
  const adminServer = edge === null
    ? serveDeno({
      hostname: settings.adminHost,
      port: settings.adminPort,
      handler: createApp({
        // Probes are answered here whatever the limits of the public port refuse.
        routes: [...admin, healthRoute(VERSION, STARTED_AT), readyRoute(checks)],
        requestTimeoutMs: settings.requestTimeoutMs,
        onAnswered: (answered) => observer.observeAdmin(answered),
      }),
      onFailure: onFailure("admin"),
    })
    : null;
  // After all that a start fails of: rules in the packet filter would stay.
  await overload.start(publicServer, metrics);
  const servers = adminServer === null ? [publicServer.server] : [publicServer.server, adminServer];
  stopOnSignals(async () => {
    const deadline = performance.now() + settings.shutdownTimeoutMs;
    stopping.abort();
    feed.close();
    const closed = await Promise.all([
      ...servers.map((server) => server.shutdown(settings.shutdownTimeoutMs)),
      settlesWithin(poller.stop(), settings.shutdownTimeoutMs),
    ]);
    if (closed.includes(false)) {
      log.warn("Some requests were still in flight after SHUTDOWN_TIMEOUT and are cut off");
    }
    await settlesWithin(
      Promise.all([following, store.close(), overload.close()]),
      Math.max(1_000, deadline - performance.now()),
    );
    catalogue.close();
    await feedPool.close();
    metrics.stop();
  });
  announce(settings, {
    publicServer,
    adminPort: adminServer?.port ?? null,
    store: kvPath ?? "the host's own KV",
    memory: memory.problem === null ? "mapped memory" : `shared buffers (${memory.problem})`,
    providers: names,
    schedule: scheduled === "cron" ? "Deno.cron" : "a timer",
    edge,
  });

  // What is stored is served first; reading it for a poll at the same time would double the time to the first answer.
  await Promise.race([loaded.promise, following]);
  pollNow = (isRequest) => isRequest ? poller.requestPoll() : poller.poll();
  await poller.pollAfterStandby();
}

/** The changes that the poll log has, oldest first: with them a client may resume after a restart. */
async function pastChanges(store: Store): Promise<CatalogueNews[]> {
  try {
    const polls = await store.polls(STREAM_CHANGES_KEPT);
    return polls.filter(({ outcome }) => outcome === "changed")
      // As the catalogue counts it: an event that is no longer listed has changed.
      .map(({ version, added, changed, unlisted }) => ({
        version,
        added,
        changed: changed + unlisted,
      }))
      .sort((a, b) => a.version - b.version);
  } catch (error) {
    log.warn("Streams cannot resume from before this start: {error}", {
      error: describeError(error),
    });
    return [];
  }
}

/**
 * Carries every change of the store into the catalogue, one after the other. When an edition cannot be built, the last
 * one stays and everything is read again.
 *
 * @param pastVersion The newest version that the feed knows from before
 */
async function follow(
  store: Store,
  catalogue: Catalogue,
  feed: ChangeFeed,
  pastVersion: number,
  onLoaded: () => void,
): Promise<void> {
  let failures = 0;
  while (!stopping.signal.aborted) {
    try {
      for await (const change of store.follow(stopping.signal)) {
        const before = catalogue.edition?.version;
        const { version } = change;
        const { added, changed } = await catalogue.publish(change);
        failures = 0;
        if (before === undefined) {
          logger("catalogue").info("Loaded {events} events, version {version}", {
            events: catalogue.size,
            version,
          });
          onLoaded();
          if (version === pastVersion) continue;
          // Another process made versions between the reading of the past changes and this one.
          for (const news of await pastChanges(store)) {
            if (news.version > pastVersion && news.version <= version) feed.publish(news);
          }
        } else if (version !== before) {
          feed.publish({ version, added, changed });
        }
      }
    } catch (error) {
      logger("catalogue").error("{error}; everything is read again", {
        error: describeError(error),
      });
      // The first time at once: a host without threads builds in this one from now on.
      const pauseMs = failures === 0 ? 0 : Math.min(1_000 * 2 ** failures, 60_000);
      failures++;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

function createProviders(pool: FeedPool): Provider[] {
  const { providerTimeoutMs: timeoutMs, providerMaxBytes: bytesMax } = settings;
  const onThreadFailed = ({ message }: Error) =>
    logger("poller").warn("Feeds are read in the main thread: {reason}", { reason: message });
  const common = { timeoutMs, bytesMax, pool, onThreadFailed };
  const urls = settings.providerUrls;
  const urlNames = providerNames(urls);
  const named = urls.map((url, i) => new XmlProvider({ name: urlNames[i], url, ...common }));
  if (named.length > 0) return named;
  if (edge !== null) {
    // No second port: the built-in provider answers without a socket.
    const demo = createDemoProvider();
    const fetch = (request: Request) => Promise.resolve(demo.handler(request));
    return [
      new XmlProvider({
        name: "demo",
        url: "http://demo.invalid/feed",
        timeoutMs,
        bytesMax,
        fetch,
      }),
    ];
  }
  const demo = serveDemoProvider();
  stopping.signal.addEventListener("abort", () => demo.shutdown().catch(() => {}));
  log.info("Built-in demo provider: {url} (set PROVIDER_URL to poll your own)", { url: demo.url });
  return [new XmlProvider({ name: "demo", url: demo.url, ...common })];
}

/** The path to open, its folder made; `undefined` for the host's own KV. */
async function prepareKvPath(): Promise<string | undefined> {
  const path = settings.kvPath ?? (edge === null ? DEFAULT_KV_PATH : undefined);
  if (path === undefined || path === ":memory:" || /^https?:/.test(path)) return path;
  await Deno.mkdir(dirname(path), { recursive: true });
  return path;
}

async function readTls(): Promise<{ cert: string; key: string } | undefined> {
  const { certFile, keyFile } = settings;
  if (certFile === null || keyFile === null) return undefined;
  return { cert: await Deno.readTextFile(certFile), key: await Deno.readTextFile(keyFile) };
}

/**
 * Whether this is an edge host: a Deno-Deploy-style one, or any where no file may be written.
 *
 * @returns Why it is one, or `null`
 */
function edgeHost({ kvPath }: Settings): string | null {
  if (Deno.env.get("DENO_DEPLOYMENT_ID") !== undefined) return "DENO_DEPLOYMENT_ID is set";
  if (kvPath !== null) return null;
  const { state } = Deno.permissions.querySync({ name: "write", path: dirname(DEFAULT_KV_PATH) });
  return state === "granted" ? null : "no file may be written (--allow-write)";
}

/** Runs `stop` at the first signal and exits 0; a second signal exits at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    Deno.addSignalListener(signal, () => {
      if (stopping.signal.aborted) Deno.exit(code);
      log.info("{signal}: no new requests, waiting for those in flight", { signal });
      stop().then(() => {
        log.info("Stopped");
        Deno.exit(0);
      }, (error) => {
        log.error("Stopping failed: {error}", { error: describeError(error) });
        Deno.exit(1);
      });
    });
  }
}

function settingsOrExit(): Settings {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(settingsHelp());
    Deno.exit(0);
  }
  try {
    return readSettings(Deno.args, (name) => Deno.env.get(name));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(`marquee: ${error.message}`);
    Deno.exit(2);
  }
}
