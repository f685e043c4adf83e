import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually, planOf, TestApp } from "./test_app.ts";

/** Reads a stream of server-sent events up to so many messages; comments are none. */
async function messages(response: Response, count: number): Promise<Record<string, string>[]> {
  const found: Record<string, string>[] = [];
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const blocks = text.split(/\r\n\r\n|\n\n/);
    text = blocks.pop()!;
    for (const block of blocks) {
      const fields = block.split(/\r?\n/).filter((line) => !line.startsWith(":"));
      if (fields.length === 0) continue;
      found.push(Object.fromEntries(fields.map((line) => {
        const [, name, value] = /^(\w+): ?(.*)$/.exec(line)!;
        return [name, value];
      })));
    }
    if (found.length >= count) break;
  }
  return found;
}

Deno.test("each change of the catalogue is a message whose id is the version", async () => {
  await using app = await TestApp.open();
  const response = await app.get("/events/stream");
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(response.headers.get("content-length"), null);
  await app.publish([planOf("1"), planOf("2")]);
  await app.publish([planOf("1", { title: "Changed" }), planOf("3")]);
  const [first, second] = await messages(response, 2);
  assertEquals(first, { event: "change", id: "1", data: '{"version":1,"added":2,"changed":0}' });
  assertEquals([second.event, second.id], ["change", "2"]);
  const { version, added, changed } = JSON.parse(second.data);
  // Plan 1 changed, plan 2 is no longer listed.
  assertEquals([version, added, changed], [2, 1, 2]);
  await eventually(() => app.feed.subscribers === 0, "reading no further is leaving");
});

Deno.test("Last-Event-ID resumes after that version; anything that is no version does not", async () => {
  await using app = await TestApp.open();
  for (let n = 1; n <= 4; n++) await app.publish([planOf(String(n))]);
  const resumed = await app.get("/events/stream", { headers: { "last-event-id": "2" } });
  assertEquals((await messages(resumed, 2)).map(({ id }) => id), ["3", "4"]);
  for (const id of ["", "x", "-1", "1.5", "1e3", "9".repeat(40), "99"]) {
    const response = await app.get("/events/stream", { headers: { "last-event-id": id } });
    assertEquals(response.status, 200);
    app.feed.publish({ version: 100, added: 0, changed: 0 });
    assertEquals((await messages(response, 1))[0].id, "100", id);
  }
});

Deno.test("HEAD on the stream answers, and listens to nothing", async () => {
  await using app = await TestApp.open();
  const response = await app.get("/events/stream", { method: "HEAD" });
  assertEquals([response.status, response.body], [200, null]);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  await eventually(() => app.feed.subscribers === 0, "nobody listens");
});

Deno.test({
  name: "a stream says at once that it is open, and ends with all its timers when the feed closes",
  sanitizeOps: true,
  fn: async () => {
    await using app = await TestApp.open();
    const response = await app.get("/events/stream");
    app.feed.close();
    const text = await response.text();
    assertStringIncludes(text, ":");
    assertEquals(await messages(new Response(text), 1), []);
  },
});

Deno.test("one client more than the bound is 503 with Retry-After, until another leaves", async () => {
  await using app = await TestApp.open();
  const clients: Response[] = [];
  while (clients.length < 10_000) {
    const response = await app.get("/events/stream");
    if (response.status !== 200) {
      assertEquals(response.status, 503);
      assertEquals(response.headers.get("retry-after"), "30");
      assertEquals((await response.json()).error.code, "too_many_streams");
      break;
    }
    clients.push(response);
  }
  assertEquals(clients.length, 1_000);
  await clients[0].body!.cancel();
  await eventually(() => app.feed.subscribers === 999, "one has left");
  const again = await app.get("/events/stream");
  assertEquals(again.status, 200);
  for (const { body } of [...clients.slice(1), again]) await body!.cancel();
  await eventually(() => app.feed.subscribers === 0, "all have left");
});
