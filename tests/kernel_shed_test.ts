import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Agent } from "../limits/testing/agent.ts";
import { NetworkNamespace, networkNamespaceProblem } from "../limits/testing/network_namespaces.ts";
import { RawConnection } from "./raw_http.ts";
import { Service, START_PERMISSIONS } from "./service.ts";
import { eventually } from "./target.ts";
import { TRANSPORTS } from "./transports.ts";

const noNamespaces = await networkNamespaceProblem();
if (noNamespaces !== null) console.warn(`Tests of SHED=kernel are ignored: ${noNamespaces}`);

const SETTINGS = { SHED: "kernel", CONNECTION_LIMIT: "5" };

for (const { transport, problem } of TRANSPORTS) {
  Deno.test({
    name: `${transport}: SHED=kernel has the kernel reset connections past the limit${
      noNamespaces === null ? "" : ` (ignored: ${noNamespaces})`
    }`,
    ignore: problem !== null || noNamespaces !== null,
    async fn() {
      await using namespace = await NetworkNamespace.make();
      const start = () =>
        Service.start({
          settings: { TRANSPORT: transport, PORT: "8080", ADMIN_PORT: "9090", ...SETTINGS },
          wrapper: ["ip", ...namespace.inside("env", [])],
        });
      const metric = async (name: string) => {
        const text = await namespace.run("curl", ["-s", "http://127.0.0.1:9090/metrics"]);
        return Number(text.match(new RegExp(`^${name} (\\S+)$`, "m"))?.[1]);
      };
      await using client = new Agent(namespace);
      {
        await using service = await start();
        const line = await service.line(({ logger }) => logger === "marquee.overload", "the rules");
        assertMatch(line.message, /Port 8080 is limited to 5 connections by the packet filter/);
        assertEquals(await client.tell("connect", "127.0.0.1", 8080, 8), {
          admitted: 5,
          refused: 3,
          failed: [],
        });
        assertEquals(await metric("http_scaling_rejections_total"), 3);
        assertEquals(await metric("http_scaling_connection_limit"), 5);
        assertEquals(await metric("http_scaling_needs_scaleout"), 1);
        await eventually(
          async () => await metric("http_connections_active") === 5,
          "five connections are counted",
        );
        // Somebody removes the rules: they come back.
        await namespace.run("nft", ["flush ruleset"]);
        await service.line(({ message }) => /installed again/.test(message), "the rules are back");
        assertMatch(await namespace.run("nft", ["list tables"]), /marquee_8080/);
        // It is killed, and leaves its rules.
      }
      assertStringIncludes(await namespace.run("nft", ["list tables"]), "marquee_8080");
      await client.tell("disconnect", 5);
      await using service = await start();
      assertEquals(await client.tell("connect", "127.0.0.1", 8080, 8), {
        admitted: 5,
        refused: 3,
        failed: [],
      });
      assertEquals((await service.stop()).code, 0);
      assertEquals(await namespace.run("nft", ["list ruleset"]), "");
    },
  });
}

Deno.test("where nft may not be run, SHED=kernel says so in a line and sheds in the app", async () => {
  await using service = await Service.start({
    settings: SETTINGS,
    permissions: START_PERMISSIONS.filter((permission) => !permission.startsWith("--allow-run")),
  });
  const line = await service.line(({ logger }) => logger === "marquee.overload", "the reason");
  assertMatch(line.message, /no permission to run nft.*--allow-run.*get 503 instead/);
  using connections = new DisposableStack();
  const ask = async () => {
    const connection = connections.use(await RawConnection.open(service.url));
    return (await connection.request("GET", "/search")).status;
  };
  for (let n = 0; n < 5; n++) assertEquals(await ask(), 200);
  assertEquals(await ask(), 503);
});
