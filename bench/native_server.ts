/**
 * The listener of `native/` under load: every request is answered with the same bytes, by a fast route, or with
 * `--handler` by the handler in the main thread. Prints its port.
 * `deno run -A bench/native_server.ts --transport=uring|epoll [--bytes=700] [--threads=1] [--connections=10000] [--handler]`
 *
 * @module
 */
import { serve } from "../native/mod.ts";

const bytes = Number(option("bytes") ?? "700");
const transport = option("transport") ?? "auto";
if (transport !== "uring" && transport !== "epoll" && transport !== "auto") {
  throw new TypeError(`--transport is uring, epoll or auto, not ${transport}`);
}

const body = new Uint8Array(bytes).fill(120);
const headers = { "content-type": "application/json" };
const listener = await serve({
  hostname: option("hostname") ?? "127.0.0.1",
  port: 0,
  transport,
  threads: Number(option("threads") ?? "1"),
  connectionsMax: Number(option("connections") ?? "10000"),
  idleTimeoutMs: 3_600_000,
  module: Deno.args.includes("--handler")
    ? undefined
    : new URL("./native_routes.ts", import.meta.url),
  data: { byteLength: bytes },
}, () => new Response(body, { headers }));
console.log(JSON.stringify({ port: listener.addr.port, transport: listener.transport }));
await listener.finished;

function option(name: string): string | undefined {
  const prefix = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(prefix))?.slice(prefix.length);
}
