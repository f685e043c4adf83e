import { assertEquals } from "@std/assert";
import { connectedPeers, shutDownConnections } from "./socket_diagnostics.ts";
import { until } from "./testing/fault_clients.ts";

const LINUX = Deno.build.os === "linux";
if (!LINUX) console.warn("A test is ignored: connectedPeers asks Linux");

for (const [hostname, to] of [["0.0.0.0", "127.0.0.1"], ["::", "127.0.0.1"], ["::", "::1"]]) {
  Deno.test({
    name: `connectedPeers of a server on ${hostname} has who is connected from ${to}, as Deno does`,
    ignore: !LINUX,
    async fn() {
      const seen = new Set<string>();
      const server = Deno.serve({ hostname, port: 0, onListen() {} }, (_, { remoteAddr }) => {
        seen.add(`${remoteAddr.hostname}:${remoteAddr.port}`);
        return new Response();
      });
      const { port } = server.addr;
      assertEquals(connectedPeers(hostname, port), new Set());
      const connections: Deno.TcpConn[] = [];
      for (let n = 0; n < 600; n++) {
        const connection = await Deno.connect({ hostname: to, port });
        connections.push(connection);
        await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        await connection.read(new Uint8Array(1_000));
      }
      assertEquals(connectedPeers(hostname, port), seen);
      for (const connection of connections.splice(1)) connection.close();
      await until(
        () => connectedPeers(hostname, port).size === 1,
        () => String(connectedPeers(hostname, port).size),
      );
      connections[0].close();
      await server.shutdown();
    },
  });
}

Deno.test({
  name: "shutDownConnections ends those that are named and no others",
  ignore: !LINUX,
  async fn() {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      return new Response("answered");
    });
    const { port } = server.addr;
    const [first, second] = await Promise.all(
      [1, 2].map(() => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    const name = (connection: Deno.TcpConn) => `127.0.0.1:${connection.localAddr.port}`;
    await until(() => connectedPeers("127.0.0.1", port).size === 2, () => "both are accepted");
    shutDownConnections(port, new Set([name(first)]));
    assertEquals(await first.read(new Uint8Array(10)), null);
    await second.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assertEquals(await second.read(new Uint8Array(15)), 15);
    // The other end of a connection has the same names, the other way round.
    shutDownConnections(second.localAddr.port, new Set([name(second)]));
    await second.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assertEquals(await second.read(new Uint8Array(15)), 15);
    for (const connection of [first, second]) connection.close();
    await server.shutdown();
  },
});
