import { assertEquals } from "@std/assert";
import { transportProblem } from "../native/mod.ts";
import { createApp, route } from "../routes/mod.ts";
import { openPublicServer } from "./public_server.ts";

const REQUEST_TIMEOUT_MS = 1_000;

for (const transport of ["uring", "epoll", "deno"] as const) {
  const problem = transport === "deno" ? null : transportProblem(transport);
  if (problem !== null) console.warn(`Tests are ignored: ${problem}`);

  /** Sends bytes to a server whose handlers are slow, and returns all that comes back until it closes. */
  const exchange = async (sent: string): Promise<string> => {
    const app = createApp({
      routes: [
        route({
          method: "GET",
          path: "/never",
          summary: "",
          replies: {},
          handle: () => new Promise(() => {}),
        }),
      ],
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      onAnswered: () => {},
    });
    const { server } = await openPublicServer({
      transport,
      hostname: "127.0.0.1",
      port: 0,
      threads: 1,
      connectionsMax: 100,
      connectionLimit: Infinity,
      headerTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
      bodyTimeoutMs: REQUEST_TIMEOUT_MS,
      writeTimeoutMs: 60_000,
      bodyBytesMax: 10_000,
      durationBounds: [0.001],
      module: new URL("../listener_worker.ts", import.meta.url),
      data: {
        version: "test",
        startedAt: 0,
        logRequests: 0,
        slowRequestMs: 60_000,
        rateLimit: null,
      },
      handler: async (request) =>
        request.method === "POST" ? new Response(await request.text()) : await app(request),
      onLogged: () => {},
      onFailure: () => {},
    });
    try {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await connection.write(new TextEncoder().encode(sent));
      let text = "";
      const decoder = new TextDecoder();
      const buffer = new Uint8Array(4_096);
      for (let n = 0; (n = await connection.read(buffer) ?? 0) > 0;) {
        text += decoder.decode(buffer.subarray(0, n), { stream: true });
        if (text.endsWith("}")) break;
      }
      return text;
    } finally {
      await server.shutdown(0);
    }
  };
  const codeOf = (text: string) => [
    /^HTTP\/1\.1 (\d+)/.exec(text)?.[1],
    JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4)).error.code,
    /^retry-after: (\d+)\r$/im.exec(text)?.[1],
  ];

  Deno.test({
    name: `${transport}: a handler that takes longer than REQUEST_TIMEOUT is 503 request_timeout`,
    ignore: problem !== null,
    async fn() {
      const text = await exchange("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
      assertEquals(codeOf(text), ["503", "request_timeout", "1"]);
    },
  });

  Deno.test({
    name: `${transport}: a body that does not come within REQUEST_TIMEOUT is 408 request_timeout` +
      (transport === "deno"
        ? " (not on Deno.serve, which has no timeouts; no route reads one)"
        : ""),
    ignore: problem !== null || transport === "deno",
    async fn() {
      for (const begun of ["", "abc"]) {
        const text = await exchange(
          `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n${begun}`,
        );
        assertEquals(codeOf(text).slice(0, 2), ["408", "request_timeout"], text);
      }
    },
  });
}
