import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PacketFilter } from "./packet_filter.ts";
import { Agent } from "./testing/agent.ts";
import {
  JoinedNamespaces,
  NetworkNamespace,
  networkNamespaceProblem,
} from "./testing/network_namespaces.ts";

const problem = await networkNamespaceProblem();
if (problem !== null) console.log(`The packet filter is not tested here: ${problem}`);

/** A test that needs hosts of its own. */
function test(name: string, body: () => Promise<void>): void {
  const reason = problem === null ? "" : ` (ignored: ${problem})`;
  Deno.test({ name: name + reason, ignore: problem !== null, fn: body });
}

const TIERS = [100, 300, 450, 500];
const none = (failed: string[] = []) => ({ admitted: 0, refused: 0, failed });

/** A server and a client on hosts of their own, and whoever keeps the packet filter of the server's. */
class Hosts implements AsyncDisposable {
  readonly stack = new AsyncDisposableStack();
  joined!: JoinedNamespaces;
  server!: Agent;
  client!: Agent;
  keeper!: Agent;
  port!: number;

  static async make(): Promise<Hosts> {
    const hosts = new Hosts();
    const { stack } = hosts;
    try {
      hosts.joined = stack.use(await JoinedNamespaces.make());
      hosts.server = stack.use(new Agent(hosts.joined.server));
      hosts.client = stack.use(new Agent(hosts.joined.client));
      hosts.keeper = stack.use(new Agent(hosts.joined.server));
      hosts.port = await hosts.server.tell("listen");
      return hosts;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** Tries so many connections by IPv4. */
  connect(count: number, address = this.joined.serverAddresses.ipv4) {
    return this.client.tell("connect", address, this.port, count);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

/** Asks until it is so; the bound is far above what it takes. */
async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !await isSo(); tries++) {
    if (tries === 150) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("a limit moved below what is live admits nobody and ends no connection", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 500);
  assertEquals(await hosts.connect(400), { ...none(), admitted: 400 });
  assertEquals(await hosts.keeper.tell("apply", [300]), [300]);
  assertEquals(await hosts.connect(50), { ...none(), refused: 50 });
  assertEquals(await hosts.client.tell("use"), 400);
  assertEquals(await hosts.keeper.tell("rejections"), 50);
  await eventually(
    "the server accepts all that were admitted",
    async () => await hosts.server.tell("accepted") === 400,
  );
  // Those who leave make room, but only below the new limit.
  await hosts.client.tell("disconnect", 105);
  await eventually(
    "five places are free",
    async () => (await hosts.connect(1)).admitted === 1,
  );
  assertEquals(await hosts.connect(10), { ...none(), admitted: 4, refused: 6 });
});

test("a limit moved up admits exactly the difference", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 300);
  assertEquals(await hosts.connect(253), { ...none(), admitted: 253 });
  assertEquals(await hosts.keeper.tell("apply", [450]), [450]);
  assertEquals(await hosts.connect(300), { ...none(), admitted: 197, refused: 103 });
  assertEquals(await hosts.keeper.tell("rejections"), 103);
});

test("IPv4, IPv6 and loopback are counted together", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 100);
  assertEquals(await hosts.connect(30), { ...none(), admitted: 30 });
  const { ipv6 } = hosts.joined.serverAddresses;
  assertEquals(await hosts.connect(30, ipv6), { ...none(), admitted: 30 });
  const local = (address: string) => hosts.keeper.tell("connect", address, hosts.port, 30);
  assertEquals(await local("127.0.0.1"), { ...none(), admitted: 30 });
  assertEquals(await local("::1"), { ...none(), admitted: 10, refused: 20 });
  assertEquals(await hosts.connect(5, ipv6), { ...none(), refused: 5 });
});

test("a limit between tiers is rounded down, and changes made at once end with the last", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 500);
  const limits = [1, 299, 300, 449, 1_000, 150];
  assertEquals(await hosts.keeper.tell("apply", limits), [100, 100, 300, 300, 500, 100]);
  assertEquals(await hosts.connect(120), { ...none(), admitted: 100, refused: 20 });
});

test("rules that a killed run has left go on limiting and are taken over with their count", async () => {
  await using hosts = await Hosts.make();
  assertEquals(await hosts.keeper.tell("openFilter", hosts.port, TIERS, 500), "none");
  await hosts.connect(200);
  await hosts.keeper.tell("apply", [100]);
  await hosts.keeper.kill();
  assertEquals(await hosts.connect(7), { ...none(), refused: 7 });

  await using next = new Agent(hosts.joined.server);
  assertEquals(await next.tell("openFilter", hosts.port, TIERS, 300), "kept");
  assertEquals(await next.tell("rejections"), 7);
  assertEquals(await hosts.connect(150), { ...none(), admitted: 100, refused: 50 });
});

test("rules of another shape that were left are replaced, and nothing is there twice", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, [5, 10], 5);
  await hosts.keeper.kill();
  await using next = new Agent(hosts.joined.server);
  assertEquals(await next.tell("openFilter", hosts.port, TIERS, 300), "replaced");
  const rules = await hosts.joined.server.run("nft", ["list ruleset"]);
  assertEquals([...rules.matchAll(/ct count over (\d+)/g)].map(([, tier]) => Number(tier)), TIERS);
  assertEquals(rules.match(/jump ladder1/g)?.length, 1);
  assertEquals(rules.match(/goto refuse/g)?.length, 1);
  assertEquals(await hosts.connect(310), { ...none(), admitted: 300, refused: 10 });
});

test("closing removes everything and everybody is admitted", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 100);
  assertEquals((await hosts.connect(101)).refused, 1);
  await hosts.keeper.tell("closeFilter");
  assertEquals(await hosts.joined.server.run("nft", ["list ruleset"]), "");
  assertEquals(await hosts.connect(50), { ...none(), admitted: 50 });
  await assertRejects(() => hosts.keeper.tell("apply", [300]), Error, "is closed");
});

test("two ports on a host have limits of their own", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, [3], 3);
  await using other = new Agent(hosts.joined.server);
  const port = await other.tell("listen");
  await other.tell("openFilter", port, [5], 5);
  const { ipv4 } = hosts.joined.serverAddresses;
  assertEquals(await hosts.connect(10), { ...none(), admitted: 3, refused: 7 });
  assertEquals((await hosts.client.tell("connect", ipv4, port, 10)).admitted, 5);
  await hosts.keeper.tell("closeFilter");
  assertEquals((await hosts.connect(10)).admitted, 10);
  assertEquals((await hosts.client.tell("connect", ipv4, port, 10)).refused, 10);
  assertEquals(await other.tell("rejections"), 15);
});

test("the marks that others give to packets are left alone", async () => {
  await using hosts = await Hosts.make();
  await hosts.joined.server.run("nft", [`table inet others {
    counter marked { }
    chain before { type filter hook prerouting priority mangle; policy accept;
      tcp dport ${hosts.port} meta mark set 7
    }
    chain after { type filter hook input priority filter + 20; policy accept;
      ct state new meta mark 7 counter name "marked"
    }
  }`]);
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 300);
  await hosts.connect(120);
  const counted = await hosts.joined.server.run("nft", ["list counter inet others marked"]);
  assertMatch(counted, /packets 120 /);
});

test("connections from before the rules are never cut", async () => {
  await using hosts = await Hosts.make();
  await hosts.connect(20);
  await hosts.keeper.tell("openFilter", hosts.port, [3], 3);
  assertEquals(await hosts.client.tell("use"), 20);
  await hosts.connect(3);
  assertEquals(await hosts.client.tell("use"), 23);
  assertEquals(await hosts.connect(1), { ...none(), refused: 1 });
  assertEquals(await hosts.keeper.tell("rejections"), 1);
});

test("half-closed connections lose their place, on loopback too", async () => {
  await using hosts = await Hosts.make();
  await hosts.server.tell("neverClose");
  await hosts.keeper.tell("openFilter", hosts.port, [4], 4);
  await hosts.connect(2);
  await hosts.keeper.tell("connect", "127.0.0.1", hosts.port, 2);
  assertEquals(await hosts.connect(1), { ...none(), refused: 1 });
  await hosts.client.tell("endSending");
  await hosts.keeper.tell("endSending");
  let admitted = 0;
  await eventually("all four are free", async () => {
    admitted += (await hosts.connect(1)).admitted;
    return admitted === 4;
  });
});

test("half-open connections take places and lose them", async () => {
  await using hosts = await Hosts.make();
  const { client } = hosts.joined;
  const { ipv4, ipv6 } = hosts.joined.serverAddresses;
  await hosts.keeper.tell("openFilter", hosts.port, [4], 4);
  await using deaf = new Agent(client);
  await deaf.tell("problem");
  // It never hears of the answers by IPv4, and so neither completes nor ends what it began.
  await client.run("nft", [`table ip deaf {
    chain input { type filter hook input priority filter; tcp sport ${hosts.port} drop; }
  }`]);
  await deaf.tell("beginConnecting", ipv4, hosts.port, 4);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await deaf.kill();
  assertEquals(await hosts.connect(1, ipv6), { ...none(), refused: 1 });
  let admitted = 0;
  await eventually("all four are free", async () => {
    admitted += (await hosts.connect(1, ipv6)).admitted;
    return admitted === 4;
  });
});

test("rules that somebody has removed are installed again with the next change or count", async () => {
  await using hosts = await Hosts.make();
  await hosts.keeper.tell("openFilter", hosts.port, TIERS, 100);
  assertEquals((await hosts.connect(103)).refused, 3);
  assertEquals(await hosts.keeper.tell("rejections"), 3);
  await hosts.joined.server.run("nft", ["flush ruleset"]);
  assertEquals(await hosts.keeper.tell("apply", [100]), [100]);
  assertEquals((await hosts.connect(102)).refused, 2);
  assertEquals(await hosts.keeper.tell("rejections"), 5);
  await hosts.joined.server.run("nft", ["flush ruleset"]);
  assertEquals(await hosts.keeper.tell("rejections"), 5);
  assertEquals((await hosts.connect(101)).refused, 1);
  assertEquals(await hosts.keeper.tell("rejections"), 6);
});

test("without CAP_NET_ADMIN one line says so, and nothing is left behind", async () => {
  await using namespace = await NetworkNamespace.make();
  const through = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
  await using agent = new Agent(namespace, { through });
  const line = await agent.tell("problem");
  assertMatch(line ?? "", /^The packet filter cannot be used: .*not permitted.*CAP_NET_ADMIN.*$/);
  await assertRejects(() => agent.tell("openFilter", 8080, TIERS, 100), Error, "CAP_NET_ADMIN");
  assertEquals(await namespace.run("nft", ["list ruleset"]), "");
});

test("with nft and CAP_NET_ADMIN there is no problem, and looking leaves nothing behind", async () => {
  await using namespace = await NetworkNamespace.make();
  await using agent = new Agent(namespace);
  assertEquals(await agent.tell("problem"), null);
  assertEquals(await namespace.run("nft", ["list ruleset"]), "");
});

test("without permission to run programs one line says which permission", async () => {
  await using namespace = await NetworkNamespace.make();
  await using agent = new Agent(namespace, { permissions: ["--allow-env"] });
  assertEquals(
    await agent.tell("problem"),
    "The packet filter cannot be used: no permission to run nft: run with --allow-run=nft,/usr/sbin/nft",
  );
});

test("without nft one line says what to install", async () => {
  await using namespace = await NetworkNamespace.make();
  // /usr/sbin is hidden from this process alone.
  const hidden = 'mount -t tmpfs none /usr/sbin && PATH=/nowhere exec "$@"';
  const through = ["unshare", "--mount", "/bin/sh", "-c", hidden, "sh"];
  await using agent = new Agent(namespace, { through });
  assertEquals(
    await agent.tell("problem"),
    "The packet filter cannot be used: there is no nft in PATH or /usr/sbin: install nftables",
  );
});

Deno.test("a port that is none is refused before nft is asked", async () => {
  const error = await assertRejects(
    () => PacketFilter.open({ port: 70_000, tiers: [1], limit: 1 }),
    RangeError,
  );
  assert(error.message.includes("70000"));
});
