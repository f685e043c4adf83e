import { assertEquals, assertRejects } from "@std/assert";
import {
  type ServerSentEventMessage,
  ServerSentEventStream,
} from "@std/http/server-sent-event-stream";

function write(...messages: ServerSentEventMessage[]): Promise<string> {
  const stream = ReadableStream.from(messages).pipeThrough(new ServerSentEventStream());
  return new Response(stream).text();
}

Deno.test("a message is written field by field, and ends with an empty line", async () => {
  assertEquals(
    await write({ retry: 1000, id: 7, data: "d", event: "e", comment: "c" }),
    ":c\nevent:e\ndata:d\nid:7\nretry:1000\n\n",
  );
  assertEquals(
    await write({ comment: "alive" }, { data: "caf\u00e9" }),
    ":alive\n\ndata:caf\u00e9\n\n",
  );
});

Deno.test("data is split at every kind of line break", async () => {
  assertEquals(
    await write({ data: "1\n2\r\n3\r4\n" }),
    "data:1\ndata:2\ndata:3\ndata:4\ndata:\n\n",
  );
});

Deno.test("fields that are empty or 0 are left out", async () => {
  assertEquals(await write({ comment: "", event: "", data: "", id: 0, retry: 0 }), "\n");
});

for (const field of ["event", "id", "comment"] as const) {
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    Deno.test(`a line break ${JSON.stringify(lineBreak)} in ${field} makes the stream fail`, async () => {
      await assertRejects(
        () => write({ [field]: `a${lineBreak}data:forged` }),
        SyntaxError,
        field,
      );
    });
  }
}
