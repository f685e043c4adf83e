/**
 * Sends long answers to slow readers while the heap is collected over and over and its memory given out again, and
 * prints how many answers came right: what the kernel still reads must not be collected.
 * `deno run -A --v8-flags=--expose-gc native/testing/collections.ts uring|epoll`
 *
 * @module
 */
import { serve } from "../mod.ts";

const CLIENTS = 16;
const BYTES = 3_000_000;
const STREAMED = 20;

const listener = await serve({
  hostname: "127.0.0.1",
  port: 0,
  transport: Deno.args[0] as "uring" | "epoll",
}, (request) => {
  const seed = Number(new URL(request.url).searchParams.get("seed"));
  if (seed % 2 === 0) return new Response(pattern(seed, BYTES));
  let parts = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        controller.enqueue(pattern(seed, BYTES / STREAMED));
        if (++parts === STREAMED) controller.close();
      },
    }),
    { headers: { "content-length": String(BYTES) } },
  );
});

const { gc } = globalThis as unknown as { gc: () => void };
const garbage: Uint8Array[] = [];
const collecting = setInterval(() => {
  garbage.length = 0;
  for (let i = 0; i < 20; i++) garbage.push(new Uint8Array(200_000).fill(0xee));
  gc();
}, 5);
const right = await Promise.all(Array.from({ length: CLIENTS }, (_, seed) => isRight(seed)));
clearInterval(collecting);
await listener.shutdown();
console.log(JSON.stringify({ answers: CLIENTS, right: right.filter(Boolean).length }));
Deno.exit(0);

/** Bytes that tell whose they are, and where in a part they lie. */
function pattern(seed: number, byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) bytes[i] = (i * 31 + seed) & 0xff;
  return bytes;
}

async function isRight(seed: number): Promise<boolean> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await connection.write(
    new TextEncoder().encode(`GET /?seed=${seed} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
  );
  const all = new Uint8Array(BYTES + 4_096);
  let length = 0;
  for (let reads = 0;; reads++) {
    const count = await connection.read(all.subarray(length));
    if (count === null) break;
    length += count;
    if (reads % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const text = new TextDecoder().decode(all.subarray(0, 1_000));
  const start = text.indexOf("\r\n\r\n") + 4;
  if (length !== start + BYTES) return false;
  const part = seed % 2 === 0 ? BYTES : BYTES / STREAMED;
  for (let i = 0; i < BYTES; i++) {
    if (all[start + i] !== ((i % part * 31 + seed) & 0xff)) return false;
  }
  return true;
}
