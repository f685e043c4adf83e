import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { basePlan, feed, FeedServer, plan } from "./feed_server.ts";
import { RawConnection, rawRequest } from "./raw_http.ts";
import { runToEnd, Service } from "./service.ts";
import { adminPost, eventually, pollOnce, searchFor, type Target } from "./target.ts";

/** The addresses of a service of our own, without a feed. */
function addressesOf({ url, adminUrl }: Service): Pick<Target, "url" | "adminUrl" | "adminToken"> {
  return { url, adminUrl: adminUrl!, adminToken: null };
}

/** A service whose one provider is the test's. */
async function startWith(
  server: FeedServer,
  settings: Record<string, string> = {},
): Promise<Service> {
  return await Service.start({ settings: { PROVIDER_URL: server.url, ...settings } });
}

/** More than the kernel's buffers take between a server and a client that does not read. */
const LONG = feed([
  basePlan("1", "A title of some length for an event that is one of very many", [
    ...Array.from(
      { length: 70_000 },
      (_, n) => plan(String(n), "2030-01-01T20:00:00", "2030-01-01T21:00:00"),
    ),
  ]),
]);

Deno.test("with nothing set it has events to search soon after its start", async () => {
  const started = performance.now();
  await using service = await Service.start();
  await eventually(
    async () =>
      (await fetch(`${service.url}/search`).then((response) => response.json())).data?.events
        .length > 0,
    "events to search",
  );
  const seconds = (performance.now() - started) / 1_000;
  console.log(`    events to search ${seconds.toFixed(2)} s after the start of the process`);
  assertLess(seconds, 10);
  assertGreater((await searchFor(service.url)).length, 100);
});

Deno.test("the default store is data/marquee.kv where it runs", async () => {
  await using service = await Service.start({ settings: { KV_PATH: "" } });
  assert((await Deno.stat(`${service.folder}/data/marquee.kv`)).isFile);
});

Deno.test("a setting that cannot be used stops the start with exit code 2 and one line that names it", async () => {
  const cases: [Record<string, string>, string[], RegExp][] = [
    [{ PORT: "http" }, [], /^marquee: PORT="http": give a whole number from 0 to 65535$/],
    [{ POLL_INTERVAL: "0.5s" }, [], /^marquee: POLL_INTERVAL="0\.5s": give a duration from /],
    [
      { PROVIDER_URL: "feed.xml" },
      [],
      /^marquee: PROVIDER_URL="feed\.xml": .*no http or https URL/,
    ],
    [{}, ["--sell-mode-policy=both"], /^marquee: --sell-mode-policy="both": give latest or ever$/],
    [{}, ["--prot", "80"], /^marquee: --prot is no setting/],
    [{ CERT_FILE: "cert.pem" }, [], /^marquee: CERT_FILE and KEY_FILE go together/],
  ];
  await Promise.all(cases.map(async ([settings, args, line]) => {
    const { code, stdout, stderr } = await runToEnd({ settings, args });
    assertEquals([code, stdout], [2, ""], stderr);
    assertMatch(stderr.trimEnd(), line);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
  }));
});

Deno.test("--help lists the settings and ends with 0, whatever else is wrong", async () => {
  const { code, stdout, stderr } = await runToEnd({ settings: { PORT: "http" }, args: ["--help"] });
  assertEquals([code, stderr], [0, ""]);
  for (
    const name
      of `PORT HOST ADMIN_PORT ADMIN_HOST ADMIN_TOKEN TRANSPORT WORKERS KV_PATH DENO_KV_ACCESS_TOKEN
      PROVIDER_URL POLL_INTERVAL PROVIDER_TIMEOUT PROVIDER_MAX_BYTES SELL_MODE_POLICY MAX_CONNECTIONS SHED
      CONNECTION_LIMIT RATE_LIMIT RATE_LIMIT_PER_CLIENT HEADER_TIMEOUT IDLE_TIMEOUT REQUEST_TIMEOUT WRITE_TIMEOUT
      SHUTDOWN_TIMEOUT LOG_FORMAT LOG_LEVEL CERT_FILE KEY_FILE`.split(/\s+/)
  ) {
    assertMatch(stdout, new RegExp(`^\\s*${name}\\s`, "m"));
  }
});

Deno.test("what cannot be had at the start is one clear line and exit 1", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/no-store`,
    "this is no SQLite file, and long enough to be looked at ".repeat(99),
  );
  const cases: [Record<string, string>, RegExp][] = [
    [{ PORT: String(taken.addr.port) }, new RegExp(`:${taken.addr.port}: .*in use`, "i")],
    [{ ADMIN_PORT: String(taken.addr.port) }, new RegExp(`:${taken.addr.port}: .*in use`, "i")],
    [{ KV_PATH: `${folder}/no-store` }, /KV_PATH .*no-store/],
    [
      { CERT_FILE: `${folder}/none.pem`, KEY_FILE: `${folder}/none.pem` },
      /none\.pem|no such file/i,
    ],
  ];
  await Promise.all(cases.map(async ([settings, reason]) => {
    const { code, stderr } = await runToEnd({ settings });
    assertEquals(code, 1, stderr);
    const lines = stderr.trimEnd().split("\n");
    const { level, message } = JSON.parse(lines.at(-1)!);
    assertEquals(level, "fatal");
    assertMatch(message, /^Marquee cannot start: /);
    assertMatch(message, reason);
  }));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the command line goes before the environment", async () => {
  await using service = await Service.start({
    settings: { LOG_LEVEL: "error", SELL_MODE_POLICY: "never looked at" },
    args: ["--log-level", "debug", "--sell-mode-policy=ever"],
  });
  await service.line(({ level }) => level === "debug" || level === "info", "anything below error");
});

Deno.test("SIGTERM answers what is in flight, takes nothing new, and exits 0", async () => {
  await using server = new FeedServer();
  server.xml = LONG;
  await using service = await startWith(server, { SHUTDOWN_TIMEOUT: "15s" });
  await pollOnce(addressesOf(service));

  using slow = await RawConnection.open(service.url);
  await slow.send("GET /search HTTP/1.1\r\nHost: t\r\n\r\n");
  using idle = await RawConnection.open(service.url);
  assertEquals((await idle.request("GET", "/health")).status, 200);
  const streaming = await fetch(`${service.url}/events/stream`);
  const profile = adminPost(addressesOf(service), "/profile?seconds=1");
  // So that it is in flight.
  await new Promise((resolve) => setTimeout(resolve, 200));

  service.signal("SIGTERM");
  await service.line(({ message }) => message.startsWith("SIGTERM"), "the signal");
  await eventually(
    () => RawConnection.open(service.url).then((one) => (one[Symbol.dispose](), false), () => true),
    "connections are refused",
  );
  assert(await idle.isClosed(), "an idle connection stays open");
  assertMatch(await streaming.text(), /^:/, "the stream has ended");
  assertEquals(service.hasEnded, false, "it ended before what was in flight was answered");
  const response = await profile;
  assertEquals(response.status, 200);
  assertGreater((await response.json()).nodes.length, 0);
  const answer = await slow.response();
  assertEquals([answer.status, JSON.parse(answer.text).data.events.length], [200, 70_000]);
  const { code } = await service.ended;
  assertEquals(code, 0);
  assertEquals(service.lines.filter(({ level }) => !["debug", "info"].includes(level)), []);
});

Deno.test("SIGINT ends it as SIGTERM does", async () => {
  await using service = await Service.start();
  service.signal("SIGINT");
  assertEquals((await service.ended).code, 0);
});

Deno.test("SIGTERM breaks off a poll under way and tells whoever waits for it", async () => {
  await using server = new FeedServer();
  await using service = await startWith(server);
  await pollOnce(addressesOf(service));
  const seen = server.requests.length;
  server.respond = () => server.hang();
  const polling = adminPost(addressesOf(service), "/poll");
  await eventually(() => server.requests.length > seen, "the poll under way");
  const { code } = await service.stop();
  assertEquals(code, 0);
  const response = await polling;
  assertEquals(response.status, 200);
  assertEquals((await response.json()).data.polls, []);
});

Deno.test("a second signal ends it at once, whatever is in flight", async () => {
  await using service = await Service.start({ settings: { SHUTDOWN_TIMEOUT: "60s" } });
  const profile = adminPost(addressesOf(service), "/profile?seconds=60").catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 200));
  service.signal("SIGTERM");
  await service.line(({ message }) => message.startsWith("SIGTERM"), "the signal");
  assertEquals(service.hasEnded, false);
  const started = performance.now();
  service.signal("SIGTERM");
  const { code } = await service.ended;
  assertLess(performance.now() - started, 10_000);
  assertEquals(code, 143);
  await (await profile)?.body?.cancel();
});

Deno.test("after SHUTDOWN_TIMEOUT what is still in flight is cut off, and it says so", async () => {
  await using service = await Service.start({ settings: { SHUTDOWN_TIMEOUT: "300ms" } });
  const profile = adminPost(addressesOf(service), "/profile?seconds=60").catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const { code, stderr } = await service.stop();
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "SHUTDOWN_TIMEOUT");
  await (await profile)?.body?.cancel();
});

Deno.test("an unhandled rejection and an uncaught error are logged and survived", async () => {
  // A module that runs before the program: no other hook is needed to have something go wrong in its process.
  const module = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    module,
    `Deno.unrefTimer(setTimeout(() => { Promise.reject(new Error("nobody waits for this")); }, 1_500));
     Deno.unrefTimer(setTimeout(() => { throw new Error("nobody catches this"); }, 1_600));`,
  );
  await using service = await Service.start({ preload: [module] });
  await service.line(({ message }) => message.includes("nobody waits for this"), "the rejection");
  await service.line(({ message }) => message.includes("nobody catches this"), "the error");
  assertEquals((await rawRequest(service.url, "GET", "/search")).status, 200);
  assertEquals((await service.stop()).code, 0);
  await Deno.remove(module);
});

Deno.test("errors are logged with the request's id, and other requests only when asked for", async () => {
  await using quiet = await Service.start();
  await using talkative = await Service.start({ settings: { LOG_REQUESTS: "1" } });
  for (const { url } of [quiet, talkative]) {
    await rawRequest(url, "GET", "/search?limit=1", { "x-request-id": "asked-for" });
    await rawRequest(url, "GET", "/health");
  }
  const line = await talkative.line(({ request_id }) => request_id === "asked-for", "the request");
  assertEquals([line.logger, line.method, line.status], ["marquee.request", "GET", 200]);
  assertStringIncludes(String(line.url), "/search?limit=1");
  assertEquals(quiet.lines.filter(({ logger }) => logger === "marquee.request"), []);
});

Deno.test("what a client gets wrong is logged with its id and the reason, so many lines a second", async () => {
  await using service = await Service.start();
  await rawRequest(service.url, "GET", "/search?limit=x", { "x-request-id": "wrong-one" });
  const line = await service.line(({ request_id }) => request_id === "wrong-one", "the refusal");
  assertEquals([line.level, line.logger, line.status], ["info", "marquee.request", 400]);
  assertMatch(line.message, /: 400, limit: .*\(wrong-one\)$/);

  const startedAt = performance.now();
  using connection = await RawConnection.open(service.url);
  for (let i = 0; i < 2_000; i++) await connection.request("GET", "/nowhere");
  const seconds = (performance.now() - startedAt) / 1_000;
  await connection.request("GET", "/search?limit=x", { "x-request-id": "last-one" });
  const logged = service.lines.filter(({ status }) => status === 404).length;
  assertLessOrEqual(logged, 100 * (Math.ceil(seconds) + 1), `in ${seconds} s`);
  assertGreater(logged, 0);
  assertLess(logged, 2_000);
});

Deno.test("a request slower than SLOW_REQUEST is logged with its id", async () => {
  // The listener's own threads have no request that takes a millisecond.
  await using service = await Service.start({
    settings: { SLOW_REQUEST: "1ms", TRANSPORT: "deno" },
  });
  // No answer takes a millisecond by itself, but some do beside processes that want the cores as well.
  const neighbours = Array.from(
    { length: 2 * navigator.hardwareConcurrency },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"] }).spawn(),
  );
  using _neighbours = {
    [Symbol.dispose]: () => neighbours.forEach((neighbour) => neighbour.kill("SIGKILL")),
  };
  const headers = { "accept-encoding": "gzip", "x-request-id": "slow-one" };
  let number = 0;
  await eventually(async () => {
    const requests = Array.from(
      { length: 20 },
      () => rawRequest(service.url, "GET", `/search?number=${++number}`, headers),
    );
    await Promise.all(requests);
    return service.lines.some(({ request_id }) => request_id === "slow-one");
  }, "a slow request in the log");
});

Deno.test("with LOG_FORMAT=text lines are for people", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { stdout, stderr } = await runToEnd({
    settings: { LOG_FORMAT: "text", PORT: String(taken.addr.port) },
  });
  assertMatch(stderr, /^[^{].*marquee\.service.*Marquee cannot start: /m);
  assertEquals(/^\{/m.test(stdout + stderr), false);
});

Deno.test("settings that the transport does not keep are named at the start", async () => {
  await using service = await Service.start({
    settings: { TRANSPORT: "deno", IDLE_TIMEOUT: "5s", WRITE_TIMEOUT: "5s" },
  });
  const line = await service.line(
    ({ level, message }) => level === "warning" && /IDLE_TIMEOUT/.test(message),
    "it",
  );
  assertStringIncludes(line.message, "WRITE_TIMEOUT");
});

Deno.test("with a token admin POSTs need it, and reading does not", async () => {
  await using service = await Service.start({ settings: { ADMIN_TOKEN: "s3cret" } });
  const adminUrl = service.adminUrl!;
  for (const adminToken of [null, "wrong"]) {
    const response = await adminPost({ adminUrl, adminToken }, "/poll");
    assertEquals(response.status, 401);
    assertEquals(response.headers.get("www-authenticate"), "Bearer");
    assertEquals((await response.json()).error.code, "unauthorized");
  }
  const response = await adminPost({ adminUrl, adminToken: "s3cret" }, "/poll");
  assertEquals(response.status, 200);
  await response.body?.cancel();
  assertEquals((await rawRequest(adminUrl, "GET", "/metrics")).status, 200);
  assertEquals(service.lines.some((line) => JSON.stringify(line).includes("s3cret")), false);
});

Deno.test("until the first poll is stored the service is ready and answers with nothing", async () => {
  await using server = new FeedServer();
  server.respond = () => server.hang();
  await using service = await startWith(server, { PROVIDER_TIMEOUT: "60s" });
  await eventually(async () => (await fetch(`${service.url}/ready`)).ok, "readiness");
  assertEquals(await searchFor(service.url), []);
  const health = await fetch(`${service.url}/health`);
  assertEquals((await health.json()).status, "healthy");
});

const hasOpenssl = await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "TLS is served with CERT_FILE and KEY_FILE",
  ignore: !hasOpenssl,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const made = await new Deno.Command("openssl", {
      args:
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
          .split(" ")
          .concat(
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            `${folder}/key.pem`,
            "-out",
            `${folder}/cert.pem`,
          ),
      stderr: "piped",
    }).output();
    assert(made.success, new TextDecoder().decode(made.stderr));
    const settings = {
      CERT_FILE: `${folder}/cert.pem`,
      KEY_FILE: `${folder}/key.pem`,
      TRANSPORT: "deno",
    };
    await using service = await Service.start({ settings });
    using client = Deno.createHttpClient({
      caCerts: [await Deno.readTextFile(`${folder}/cert.pem`)],
    });
    const response = await fetch(`${service.url}/health`, { client });
    assertEquals((await response.json()).status, "healthy");
    await assertRejects(() => rawRequest(service.url.replace("https", "http"), "GET", "/health"));
    await Deno.remove(folder, { recursive: true });
  },
});
