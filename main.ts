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
  type AnsweredRequest,
  boardRoute,
  BODY_BYTES_MAX,
  type CatalogueNews,
  ChangeFeed,
  type Check,
  createApp,
  documentRoutes,
  eventRoute,
  healthRoute,
  HttpError,
  readyRoute,
  type Route,
  searchRoute,
  STREAM_CHANGES_KEPT,
  streamRoute,
} from "./routes/mod.ts";
import { chooseMemory } from "./memory_source.ts";
import { Overload } from "./overload.ts";
import { readSettings, type Settings, SettingsError, settingsHelp } from "./settings.ts";
import { type PollRecord, Store } from "./store/mod.ts";
import {
  configureLogging,
  DURATION_BUCKETS,
  LineBudget,
  logger,
  Metrics,
  oldestAgeSeconds,
} from "./telemetry/mod.ts";
import {
  type NativeServer,
  openPublicServer,
  type PublicServer,
  type RunningServer,
  serveDeno,
  settlesWithin,
} from "./transports/mod.ts";

const VERSION = denoJson.version;
const STARTED_AT = Date.now();
const DEFAULT_KV_PATH = "data/marquee.kv";
/** Lines a second about requests that clients got wrong (4xx); past it they are counted. */
const CLIENT_ERROR_LINES_MAX = 100;
/** How long POST /poll waits for what it made to be seen; then it answers. */
const VISIBLE_WAIT_MS_MAX = 10_000;

const settings = settingsOrExit();
configureLogging({
  format: settings.logFormat ?? (Deno.stdout.isTerminal() ? "text" : "json"),
  level: settings.logLevel,
});
const log = logger("service");
const clientErrorLines = new LineBudget(
  CLIENT_ERROR_LINES_MAX,
  (dropped) =>
    logger("request").info("{dropped} more requests were refused, and have no line", { dropped }),
);

// Deno ends the process at either of these unless somebody takes it; one bad request is not worth all the others.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  log.error("Unhandled rejection: {error}", { error: describe(event.reason) });
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  log.error("Uncaught error: {error}", { error: describe(event.error) });
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
    onError: (error) => log.error("The store failed: {error}", { error: describe(error) }),
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
    onLogged: (logged) => logRequest({ ...logged, error: null }, logged.isSlow),
    handler: createApp({
      routes: served,
      refuse: (request, path, info) => overload.refuse(request, path, info),
      requestTimeoutMs: settings.requestTimeoutMs,
      onAnswered: (answered) => observeRequest(metrics, answered),
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
        onAnswered: logFailure,
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
  announce(publicServer, adminServer, kvPath, names, memory.problem);

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
    log.warn("Streams cannot resume from before this start: {error}", { error: describe(error) });
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
      logger("catalogue").error("{error}; everything is read again", { error: describe(error) });
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

/** A few lines on where to look. */
function announce(
  publicServer: PublicServer,
  adminServer: RunningServer | null,
  kvPath: string | undefined,
  names: string[],
  memoryProblem: string | null,
): void {
  const scheme = settings.certFile === null ? "http" : "https";
  const base = `${scheme}://${reachable(settings.host)}:${publicServer.server.port}`;
  log.info("Board: {url}", { url: `${base}/` });
  log.info("Search: {url}", { url: `${base}/search`, port: publicServer.server.port });
  log.info("Documentation: {url}", { url: `${base}/docs` });
  if (adminServer !== null) {
    log.info("Admin: {url}", {
      url: `http://${reachable(settings.adminHost)}:${adminServer.port}/metrics`,
      port: adminServer.port,
    });
  } else if (settings.adminToken !== null) {
    log.info("Admin: {url} with the Bearer token ADMIN_TOKEN", { url: `${base}/admin/metrics` });
  }
  announceTransport(publicServer);
  log.info("Store: {path}", { path: kvPath ?? "the host's own KV" });
  log.debug("Catalogue: in {memory}", {
    memory: memoryProblem === null ? "mapped memory" : `shared buffers (${memoryProblem})`,
  });
  log.info("Polling {providers} every {seconds} s by {scheduled}", {
    providers: names.join(", "),
    seconds: settings.pollIntervalMs / 1_000,
    scheduled: scheduled === "cron" ? "Deno.cron" : "a timer",
  });
  if (edge !== null) {
    log.warn(
      "Edge host ({reason}): no files, no second port, no FFI. The admin routes are {admin}",
      {
        reason: edge,
        admin: settings.adminToken === null ? "off until ADMIN_TOKEN is set" : "under /admin",
      },
    );
  }
}

/** What carries requests, why, and which settings it does not keep. */
function announceTransport({ transport, native, reasons }: PublicServer): void {
  const names = { uring: "io_uring", epoll: "epoll", deno: "Deno.serve" };
  const asked = settings.transport === "auto" ? "the best that works here" : "as asked";
  log.info("Transport: {name} ({because})", {
    name: names[transport],
    because: [asked, ...reasons].join("; "),
    transport,
  });
  if (native !== null && native.connectionsMax < settings.maxConnections) {
    const { connectionsMax } = native;
    const isGiven = settings.given.has("MAX_CONNECTIONS");
    log[isGiven ? "warn" : "debug"](
      "{connectionsMax} connections at most: for MAX_CONNECTIONS={wanted} raise the limit of open files (ulimit -n), or WORKERS",
      { connectionsMax, wanted: settings.maxConnections },
    );
  }
  if (transport !== "deno") return;
  const unkept = [
    "WORKERS",
    "MAX_CONNECTIONS",
    "HEADER_TIMEOUT",
    "IDLE_TIMEOUT",
    "WRITE_TIMEOUT",
  ].filter((name) => settings.given.has(name));
  if (unkept.length > 0) {
    log.warn("The deno transport does not keep {settings}; only REQUEST_TIMEOUT holds", {
      settings: unkept.join(", "),
    });
  } else {
    log.info("Deno.serve has no timeouts of its own: only REQUEST_TIMEOUT holds");
  }
}

function observePoll(metrics: Metrics, record: PollRecord): void {
  const { provider, outcome } = record;
  metrics.polls.inc({ provider, outcome });
  metrics.pollDuration.observe({ provider }, record.durationMs / 1_000);
  for (const [reason, count] of Object.entries(record.rejectedByReason)) {
    metrics.plansRejected.inc({ provider, reason }, count);
  }
  const poll = logger("poller");
  const fields = {
    provider,
    outcome,
    version: record.version,
    plans: record.plans,
    added: record.added,
    changed: record.changed,
    unlisted: record.unlisted,
    rejected: record.rejected,
    bytes: record.bytes,
    ms: record.durationMs,
  };
  if (record.error !== null) {
    poll.warn("Poll of {provider} {outcome}: {reason}", {
      ...fields,
      reason: record.error.message,
      code: record.error.code,
    });
  } else if (outcome === "empty") {
    poll.warn("The feed of {provider} lists nothing; what was known stays", fields);
  } else if (outcome === "changed") {
    poll.info(
      "Poll of {provider}: version {version}, {plans} plans, {added} added, {changed} changed, " +
        "{unlisted} no longer listed, {rejected} set aside, {ms} ms",
      fields,
    );
  } else {
    poll.debug("Poll of {provider} {outcome}: {plans} plans, {ms} ms", fields);
  }
}

function observeRequest(metrics: Metrics, answered: AnsweredRequest): void {
  const { route, method, status, seconds, bytes, error } = answered;
  metrics.http.observe(route, method, status, seconds, bytes);
  const isSlow = seconds * 1_000 >= settings.slowRequestMs;
  // Who is over a limit is counted; a line for each would be a load of its own.
  if (error instanceof HttpError && (error.code === "service_overloaded" || status === 429)) return;
  if (isLoggedError(status) || isSlow || Math.random() < settings.logRequests) {
    logRequest(answered, isSlow);
  }
}

function logFailure(answered: AnsweredRequest): void {
  if (isLoggedError(answered.status)) logRequest(answered, false);
}

/** Failures of the service always are; what clients do wrong is, as long as they are not many. */
function isLoggedError(status: number): boolean {
  return status >= 500 || status >= 400 && clientErrorLines.take();
}

function logRequest(
  answered: Omit<AnsweredRequest, "route" | "bytes">,
  isSlow: boolean,
): void {
  const { method, url, status, seconds, requestId, error } = answered;
  const fields = {
    method,
    url: url.slice(0, 500),
    status,
    ms: Math.round(seconds * 1e6) / 1e3,
    request_id: requestId,
  };
  const request = logger("request");
  if (status >= 500) {
    // A failure has its stack; a refusal such as 503 while loading says all in its message.
    if (error instanceof HttpError) {
      request.warn("{method} {url}: {status}, {reason} ({request_id})", {
        ...fields,
        reason: error.message,
      });
    } else {
      request.error("{method} {url}: {status}, {error} ({request_id})", {
        ...fields,
        error: describe(error),
      });
    }
  } else if (isSlow) {
    request.warn("{method} {url}: {status}, slow: {ms} ms ({request_id})", fields);
  } else if (error instanceof HttpError) {
    request.info("{method} {url}: {status}, {reason} ({request_id})", {
      ...fields,
      reason: error.message,
    });
  } else {
    request.info("{method} {url}: {status}, {ms} ms ({request_id})", fields);
  }
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
        log.error("Stopping failed: {error}", { error: describe(error) });
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

/** A wildcard address as something to open in a browser. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0" || hostname === "::") return "localhost";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
