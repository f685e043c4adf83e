/**
 * The listener of `native/` in a program of its own: a fast route that is answered inside the listener's threads, and
 * everything else by a handler as Deno.serve has it. Copy `native/` and these two files to begin with.
 * `deno run --allow-net --allow-ffi --allow-read examples/listener.ts [PORT]`
 *
 * @module
 */
import { serve, transportProblem } from "../native/mod.ts";

const port = Number(Deno.args[0] ?? "8000");
const problem = transportProblem("uring");
if (problem !== null) console.log(`not on io_uring: ${problem}`);

const listener = await serve({
  hostname: "127.0.0.1",
  port,
  threads: 2,
  module: new URL("./listener_routes.ts", import.meta.url),
  data: { greeting: "Hello" },
  onError: (error) => console.error(error.message),
}, async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/greeting" && request.method === "PUT") {
    // What fast routes answer with is told to their threads.
    listener.post({ greeting: await request.text() });
    return new Response(null, { status: 204 });
  }
  if (pathname === "/upper" && request.body !== null) {
    const upper = new TransformStream<string, string>({
      transform: (text, controller) => controller.enqueue(text.toUpperCase()),
    });
    return new Response(
      request.body.pipeThrough(new TextDecoderStream()).pipeThrough(upper)
        .pipeThrough(new TextEncoderStream()),
    );
  }
  return Response.json({ error: `there is nothing at ${pathname}` }, { status: 404 });
});
console.log(
  `http://127.0.0.1:${listener.addr.port}/hello?name=Ada, by ${listener.transport}`,
);

Deno.addSignalListener("SIGTERM", () => listener.shutdown());
Deno.addSignalListener("SIGINT", () => listener.shutdown());
await listener.finished;
Deno.exit(0);
