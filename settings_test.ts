import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { readSettings, type Settings, SettingsError, settingsHelp } from "./settings.ts";

type Member = Exclude<keyof Settings, "given">;

interface Case {
  name: string;
  member: Member;
  /** What it is without being given. */
  usual: unknown;
  /** Texts with what they mean. */
  good: [string, unknown][];
  bad: string[];
}

const durations = { bad: ["5", "s", "-1s", "1 s", "1d", "5sec", "1e3s", "Infinity"] };

/** Every setting but those of {@linkcode PAIRED}. */
const cases: Case[] = [
  {
    name: "PORT",
    member: "port",
    usual: 8080,
    good: [["0", 0], ["65535", 65_535]],
    bad: ["65536", "-1", "http", "80.5", "0x50"],
  },
  { name: "HOST", member: "host", usual: "0.0.0.0", good: [["::1", "::1"]], bad: [] },
  {
    name: "ADMIN_PORT",
    member: "adminPort",
    usual: 9090,
    good: [["0", 0], ["9191", 9_191]],
    bad: ["65536", "x"],
  },
  {
    name: "ADMIN_HOST",
    member: "adminHost",
    usual: "127.0.0.1",
    good: [["0.0.0.0", "0.0.0.0"]],
    bad: [],
  },
  { name: "ADMIN_TOKEN", member: "adminToken", usual: null, good: [["s3cret", "s3cret"]], bad: [] },
  {
    name: "TRANSPORT",
    member: "transport",
    usual: "auto",
    good: [["deno", "deno"], ["auto", "auto"]],
    bad: ["node", "Deno"],
  },
  {
    name: "WORKERS",
    member: "workers",
    usual: navigator.hardwareConcurrency,
    good: [["3", 3], ["cores", navigator.hardwareConcurrency]],
    bad: ["0", "1025", "two"],
  },
  {
    name: "KV_PATH",
    member: "kvPath",
    usual: null,
    good: [[":memory:", ":memory:"], ["/var/lib/x.kv", "/var/lib/x.kv"]],
    bad: [],
  },
  {
    name: "PROVIDER_URL",
    member: "providerUrls",
    usual: [],
    good: [
      ["http://a.test/feed", ["http://a.test/feed"]],
      ["http://a.test/1, https://b.test/2,", ["http://a.test/1", "https://b.test/2"]],
      ["http://a.test/1,http://a.test/1", ["http://a.test/1"]],
      ["http://a.test,http://A.test:80/", ["http://a.test"]],
    ],
    bad: ["a.test/feed", "file:///etc/passwd", "ftp://a.test", "http://", "http://a.test,x"],
  },
  {
    name: "POLL_INTERVAL",
    member: "pollIntervalMs",
    usual: 60_000,
    good: [["1s", 1_000], ["1.5s", 1_500], ["1000ms", 1_000], ["5m", 300_000], ["24h", 86_400_000]],
    bad: [...durations.bad, "999ms", "0s", "25h"],
  },
  {
    name: "PROVIDER_TIMEOUT",
    member: "providerTimeoutMs",
    usual: 30_000,
    good: [["250ms", 250]],
    bad: [...durations.bad, "0s", "2h"],
  },
  {
    name: "PROVIDER_MAX_BYTES",
    member: "providerMaxBytes",
    usual: 1_073_741_824,
    good: [["1", 1], ["64MiB", 67_108_864], ["64 MB", 64_000_000], ["1.5kB", 1_500], [
      "2KiB",
      2_048,
    ]],
    bad: ["0", "-1", "1TB", "MiB", "lots", "1e9"],
  },
  {
    name: "SELL_MODE_POLICY",
    member: "sellModePolicy",
    usual: "latest",
    good: [["ever", "ever"], ["latest", "latest"]],
    bad: ["always", "EVER"],
  },
  {
    name: "MAX_CONNECTIONS",
    member: "maxConnections",
    usual: 100_000,
    good: [["1", 1]],
    bad: ["0", "many"],
  },
  {
    name: "SHED",
    member: "shed",
    usual: "none",
    good: [["none", "none"], ["app", "app"], ["kernel", "kernel"]],
    bad: ["yes"],
  },
  {
    name: "CONNECTION_LIMIT",
    member: "connectionLimit",
    usual: 500,
    good: [["300", 300]],
    bad: ["0", "x"],
  },
  {
    name: "LIMIT_ALGORITHM",
    member: "limitAlgorithm",
    usual: "gradient",
    good: [["step", "step"]],
    bad: ["vegas"],
  },
  {
    name: "CONNECTION_LIMIT_MINIMUM",
    member: "connectionLimitMinimum",
    usual: 100,
    good: [["50", 50]],
    bad: ["0", "x"],
  },
  {
    name: "CONNECTION_LIMIT_MAXIMUM",
    member: "connectionLimitMaximum",
    usual: 1_000,
    good: [["5000", 5_000]],
    bad: ["0", "x"],
  },
  {
    name: "LIMIT_PERIOD",
    member: "limitPeriodMs",
    usual: 5_000,
    good: [["500ms", 500]],
    bad: ["1ms", "5"],
  },
  {
    name: "RATE_LIMIT",
    member: "rateLimit",
    usual: null,
    good: [["off", null], ["250", 250]],
    bad: ["x", "0", "1000001", "1.5"],
  },
  {
    name: "RATE_LIMIT_PER_CLIENT",
    member: "rateLimitPerClient",
    usual: null,
    good: [["off", null], ["1", 1]],
    bad: ["x", "0"],
  },
  {
    name: "TRUSTED_PROXIES",
    member: "trustedProxies",
    usual: [],
    good: [["10.0.0.0/8, ::1", ["10.0.0.0/8", "::1"]]],
    bad: ["10.0.0.0/40", "proxy.local", "10.0.0.1,,x"],
  },
  {
    name: "HEADER_TIMEOUT",
    member: "headerTimeoutMs",
    usual: 10_000,
    good: [["2s", 2_000]],
    bad: durations.bad,
  },
  {
    name: "IDLE_TIMEOUT",
    member: "idleTimeoutMs",
    usual: 60_000,
    good: [["2m", 120_000]],
    bad: durations.bad,
  },
  {
    name: "REQUEST_TIMEOUT",
    member: "requestTimeoutMs",
    usual: 30_000,
    good: [["100ms", 100]],
    bad: [...durations.bad, "0ms"],
  },
  {
    name: "WRITE_TIMEOUT",
    member: "writeTimeoutMs",
    usual: 15_000,
    good: [["1s", 1_000]],
    bad: durations.bad,
  },
  {
    name: "SHUTDOWN_TIMEOUT",
    member: "shutdownTimeoutMs",
    usual: 30_000,
    good: [["0s", 0], ["10s", 10_000]],
    bad: durations.bad,
  },
  {
    name: "LOG_FORMAT",
    member: "logFormat",
    usual: null,
    good: [["json", "json"], ["text", "text"]],
    bad: ["xml"],
  },
  {
    name: "LOG_LEVEL",
    member: "logLevel",
    usual: "info",
    good: [["debug", "debug"], ["warn", "warning"], ["warning", "warning"], ["error", "error"]],
    bad: ["loud", "INFO"],
  },
  {
    name: "LOG_REQUESTS",
    member: "logRequests",
    usual: 0,
    good: [["1", 1], ["0.25", 0.25], [".5", 0.5], ["1.0", 1]],
    bad: ["1.5", "-0.1", "all", "50%"],
  },
  {
    name: "SLOW_REQUEST",
    member: "slowRequestMs",
    usual: 1_000,
    good: [["250ms", 250]],
    bad: durations.bad,
  },
];

/** Settings that only work in pairs; see their own test. */
const PAIRED = ["CERT_FILE", "KEY_FILE"];

/** Names that deployments rely on: none of them may be lost or renamed. */
const RELIED_ON = `PORT HOST ADMIN_PORT ADMIN_HOST ADMIN_TOKEN TRANSPORT WORKERS KV_PATH
  DENO_KV_ACCESS_TOKEN PROVIDER_URL POLL_INTERVAL PROVIDER_TIMEOUT PROVIDER_MAX_BYTES SELL_MODE_POLICY
  MAX_CONNECTIONS SHED CONNECTION_LIMIT RATE_LIMIT RATE_LIMIT_PER_CLIENT HEADER_TIMEOUT IDLE_TIMEOUT
  REQUEST_TIMEOUT WRITE_TIMEOUT SHUTDOWN_TIMEOUT LOG_FORMAT LOG_LEVEL CERT_FILE KEY_FILE`.split(
  /\s+/,
);

const nothing = () => undefined;
const env = (values: Record<string, string>) => (name: string) => values[name];
const flagOf = (name: string) => `--${name.toLowerCase().replaceAll("_", "-")}`;

Deno.test("the cases below leave out no setting", () => {
  const members = Object.keys(readSettings([], nothing)).filter((name) => name !== "given");
  const tested = [...cases.map(({ member }) => member), "certFile", "keyFile"];
  assertEquals(tested.sort(), members.sort());
  for (const name of RELIED_ON) {
    if (name === "DENO_KV_ACCESS_TOKEN" || PAIRED.includes(name)) continue;
    assert(cases.some((one) => one.name === name), name);
  }
});

Deno.test("without anything given every setting has its default", () => {
  const settings = readSettings([], nothing);
  for (const { member, usual } of cases) assertEquals<unknown>(settings[member], usual, member);
  assertEquals([settings.certFile, settings.keyFile], [null, null]);
  assertEquals(settings.given.size, 0);
});

for (const { name, member, usual, good, bad } of cases) {
  Deno.test(`${name} is read from the environment and from ${flagOf(name)}`, () => {
    const flag = flagOf(name);
    for (const [text, value] of good) {
      for (
        const settings of [
          readSettings([], env({ [name]: text })),
          readSettings([], env({ [name]: ` ${text} ` })),
          readSettings([flag, text], nothing),
          readSettings([`${flag}=${text}`], nothing),
          readSettings(["--", flag, text], nothing),
          readSettings([flag, text], env({ [name]: "not looked at" })),
        ]
      ) {
        assertEquals<unknown>(settings[member], value, `${name}=${text}`);
        assertEquals([...settings.given], [name]);
      }
    }
    const empty = readSettings([], env({ [name]: "" }));
    assertEquals<unknown>(empty[member], usual, "an empty variable is not given");
    assertEquals([...empty.given], []);
  });

  if (bad.length > 0) {
    Deno.test(`a bad value of ${name} is refused with its name, the value and what to give`, () => {
      for (const text of bad) {
        const byEnv = assertThrows(() => readSettings([], env({ [name]: text })), SettingsError);
        assert(byEnv.message.startsWith(`${name}=${JSON.stringify(text)}: `), byEnv.message);
        const remedy = byEnv.message.slice(byEnv.message.indexOf(": ") + 2);
        assertMatch(remedy, /give |is no http or https URL/);
        const byFlag = assertThrows(
          () => readSettings([flagOf(name), text], nothing),
          SettingsError,
        );
        assert(
          byFlag.message.startsWith(`${flagOf(name)}=${JSON.stringify(text)}: `),
          byFlag.message,
        );
      }
    });
  }
}

Deno.test("a bad PROVIDER_URL is refused without showing anybody's credentials", () => {
  for (
    const text of [
      "http://me:hunter2@a.test/feed,x",
      "http://a.test/feed?key=hunter2,x",
      "http://a.test/feed?key=hunter2, ftp://b.test",
      "x,https://me:hunter2@b.test/feed?key=hunter2",
      "http://me:hunter2@a.test:port/feed?key=hunter2#hunter2",
      "http://me:/?#hunter2,hunter2@hunter2@a.test/feed",
      "me:hunter2@a.test/feed",
    ]
  ) {
    const { message } = assertThrows(
      () => readSettings(["--provider-url", text], nothing),
      SettingsError,
    );
    assertEquals(message.includes("hunter2"), false, message);
    assertMatch(message, /^--provider-url=".*": entry \d of \d is no http or https URL$/);
  }
});

Deno.test("an unknown flag, one without a value and one given twice are refused by name", () => {
  for (
    const [args, message] of [
      [["--prot", "80"], "--prot is no setting"],
      [["8080"], "8080 is no setting"],
      [["--PORT", "80"], "--PORT is no setting"],
      [["--port"], "--port needs a value"],
      [["--port", "80", "--port=81"], "--port is given twice"],
    ] as const
  ) {
    const error = assertThrows(() => readSettings(args, nothing), SettingsError);
    assertStringIncludes(error.message, message);
    assertEquals(error.message.includes("\n"), false, "one line");
  }
});

Deno.test("CONNECTION_LIMIT=auto goes with a SHED that keeps it", () => {
  const settings = readSettings([], env({ CONNECTION_LIMIT: "auto", SHED: "app" }));
  assertEquals(settings.connectionLimit, "auto");
  const error = assertThrows(
    () => readSettings(["--connection-limit", "auto"], nothing),
    SettingsError,
  );
  assertStringIncludes(error.message, "give SHED=app or kernel");
});

Deno.test("the lowest limit is not above the highest", () => {
  const error = assertThrows(
    () => readSettings(["--connection-limit-minimum", "2000"], nothing),
    SettingsError,
  );
  assertStringIncludes(error.message, "CONNECTION_LIMIT_MAXIMUM");
});

Deno.test("CERT_FILE and KEY_FILE are given together or not at all", () => {
  const both = readSettings(["--cert-file", "c.pem"], env({ KEY_FILE: "k.pem" }));
  assertEquals([both.certFile, both.keyFile], ["c.pem", "k.pem"]);
  assertEquals([...both.given].sort(), PAIRED);
  for (const name of PAIRED) {
    const error = assertThrows(() => readSettings([], env({ [name]: "x.pem" })), SettingsError);
    for (const either of PAIRED) assertStringIncludes(error.message, either);
  }
});

Deno.test("the help names every setting that is relied on, each on a line with its default", () => {
  const lines = settingsHelp().split("\n");
  for (const name of RELIED_ON) {
    assertEquals(lines.filter((line) => line.trimStart().startsWith(`${name} `)).length, 1, name);
  }
  for (const [name, value] of [["PORT", "8080"], ["POLL_INTERVAL", "60s"], ["SHED", "none"]]) {
    assert(
      lines.some((line) => line.split(/\s+/).slice(1, 3).join(" ") === `${name} ${value}`),
      name,
    );
  }
  assert(lines.every((line) => line.length <= 120), "a line is too wide for a terminal");
});
