import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import {
  parseXmlRecords,
  parseXmlRecordsFromBytes,
  type XmlEventCallbacks,
  XmlSyntaxError,
} from "@std/xml";

/** Emits the id of every item when it starts. */
const items = (emit: (id: string) => void): XmlEventCallbacks => ({
  onStartElement(name, _colon, _uri, attributes) {
    if (name === "item") emit(attributes.getValue(0));
  },
});

/** Yields chunks, and writes down what happens to it. */
async function* watched(chunks: string[], log: string[]): AsyncGenerator<string> {
  try {
    for (const [index, chunk] of chunks.entries()) {
      log.push(`chunk ${index}`);
      yield chunk;
    }
    log.push("end");
  } finally {
    log.push("closed");
  }
}

async function* encoded(source: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield new TextEncoder().encode(chunk);
}

const CHUNKS = [
  "<feed>",
  '<item id="1"/><item id="2"/><it',
  'em id="3"/>',
  "<item id='4'/></feed>",
];
const LOG = ["chunk 0", "chunk 1", "1", "2", "chunk 2", "3", "chunk 3", "4", "end", "closed"];

const readers = {
  parseXmlRecords: (source: AsyncIterable<string>) => parseXmlRecords(source, items),
  parseXmlRecordsFromBytes: (source: AsyncIterable<string>) =>
    parseXmlRecordsFromBytes(encoded(source), items),
};

for (const [name, read] of Object.entries(readers)) {
  Deno.test(`${name} yields the records of a chunk before it pulls the next`, async () => {
    const log: string[] = [];
    for await (const id of read(watched(CHUNKS, log))) log.push(id);
    assertEquals(log, LOG);
  });

  Deno.test(`${name} closes the source when the consumer stops, and pulls no more`, async () => {
    const log: string[] = [];
    for await (const id of read(watched(CHUNKS, log))) {
      log.push(id);
      break;
    }
    assertEquals(log, ["chunk 0", "chunk 1", "1", "closed"]);
  });

  Deno.test(`${name} closes the source when the consumer throws`, async () => {
    const log: string[] = [];
    const consume = async () => {
      for await (const id of read(watched(CHUNKS, log))) throw new RangeError(id);
    };
    await assertRejects(consume, RangeError, "1");
    assertEquals(log.at(-1), "closed");
  });

  Deno.test(`${name} drops the records of a chunk with an error, and closes the source`, async () => {
    const log: string[] = [];
    const consume = async () => {
      for await (const id of read(watched([...CHUNKS.slice(0, 2), "&", "</feed>"], log))) {
        log.push(id);
      }
    };
    await assertRejects(consume, XmlSyntaxError);
    assertEquals(log, ["chunk 0", "chunk 1", "1", "2", "chunk 2", "closed"]);
  });

  Deno.test(`${name} refuses a document that is cut short, after the records before`, async () => {
    const log: string[] = [];
    const consume = async () => {
      for await (const id of read(watched(CHUNKS.slice(0, 3), log))) log.push(id);
    };
    await assertRejects(consume, XmlSyntaxError, "unclosed");
    assertEquals(log.filter((entry) => /^\d$/.test(entry)), ["1", "2", "3"]);
  });
}

Deno.test("a web stream is cancelled when the consumer stops", async () => {
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode("<item id='1'>"));
    },
    cancel() {
      cancelled = true;
    },
  });
  for await (const _id of parseXmlRecordsFromBytes(stream, items)) break;
  assert(cancelled);
});

Deno.test("a feed of 20 MB goes through in a few MB of memory", async () => {
  const chunk = new TextEncoder().encode(`<item id="${"x".repeat(50)}"/>`.repeat(1_000));
  const source = async function* () {
    yield new TextEncoder().encode("<feed>");
    for (let sent = 0; sent < 20_000_000; sent += chunk.length) yield chunk;
    yield new TextEncoder().encode("</feed>");
  };
  let count = 0, heapMost = 0;
  const heapBefore = Deno.memoryUsage().heapUsed;
  for await (const _id of parseXmlRecordsFromBytes(source(), items)) {
    if (++count % 1_000 === 0) heapMost = Math.max(heapMost, Deno.memoryUsage().heapUsed);
  }
  assert(count > 300_000);
  // The young generation alone may take some 16 MB before it is collected; the records together take over 30.
  assertLess(heapMost - heapBefore, 24_000_000);
});

Deno.test("options are heeded, and the callbacks are made once", async () => {
  let made = 0;
  const records = parseXmlRecords<string>(ReadableStream.from(["<a> <b/></a>"]), (emit) => {
    made++;
    return { onText: emit };
  }, { ignoreWhitespace: true });
  assertEquals(await Array.fromAsync(records), []);
  assertEquals(made, 1);
});
