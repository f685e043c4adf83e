import { SaxesParser } from "saxes";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  type ParseStreamOptions,
  parseXmlStream,
  parseXmlStreamFromBytes,
  type XmlEventCallbacks,
  XmlSyntaxError,
} from "@std/xml";

type Event = unknown[];

/** Callbacks that write down everything they are given; positions only if asked for. */
function recorder(events: Event[], withPositions = false): XmlEventCallbacks {
  const record = (kind: string, values: unknown[], position: number[]) =>
    events.push([kind, ...values, ...(withPositions ? position : [])]);
  return {
    onDeclaration: (version, encoding, standalone, ...at) =>
      void record("declaration", [version, encoding, standalone], at),
    onDoctype: (name, publicId, systemId, ...at) =>
      void record("doctype", [name, publicId, systemId], at),
    onStartElement(name, colonIndex, uri, attributes, selfClosing, ...at) {
      const pairs = Array.from(
        { length: attributes.count },
        (_, index) => [attributes.getName(index), attributes.getValue(index)],
      );
      record("start", [name, colonIndex, uri, pairs, selfClosing], at);
    },
    onEndElement: (name, colonIndex, uri, ...at) => void record("end", [name, colonIndex, uri], at),
    onText: (content, ...at) => void record("text", [content], at),
    onCData: (content, ...at) => void record("cdata", [content], at),
    onComment: (content, ...at) => void record("comment", [content], at),
    onProcessingInstruction: (target, content, ...at) => void record("pi", [target, content], at),
  };
}

async function parse(
  chunks: string | string[],
  options?: ParseStreamOptions,
  withPositions = false,
): Promise<Event[]> {
  const events: Event[] = [];
  const source = ReadableStream.from([chunks].flat());
  await parseXmlStream(source, recorder(events, withPositions), options);
  return events;
}

const start = (name: string, pairs: string[][] = [], selfClosing = false): Event => [
  "start",
  name,
  name.indexOf(":"),
  undefined,
  pairs,
  selfClosing,
];
const end = (name: string): Event => ["end", name, name.indexOf(":"), undefined];

const DOCUMENT = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- before --><?style a="b"?>
<planList version='1.0'>
  <plan plan_id="1" title="Don Giovanni &amp; Co &#233;&lt;"/>
  <x:plan   x:a = "\u00e9\t1
2" b="\u{1f600}">a &gt; b\r\nc]]<![CDATA[<&]]> <!--in--></x:plan >
</planList>
<!-- after -->
`;

const EVENTS: Event[] = [
  ["declaration", "1.0", "UTF-8", "yes"],
  ["comment", " before "],
  ["pi", "style", 'a="b"'],
  start("planList", [["version", "1.0"]]),
  ["text", "\n  "],
  start("plan", [["plan_id", "1"], ["title", "Don Giovanni & Co \u00e9<"]], true),
  end("plan"),
  ["text", "\n  "],
  start("x:plan", [["x:a", "\u00e9 1 2"], ["b", "\u{1f600}"]]),
  ["text", "a > b\nc]]"],
  ["cdata", "<&"],
  ["text", " "],
  ["comment", "in"],
  end("x:plan"),
  ["text", "\n"],
  end("planList"),
  ["comment", " after "],
];

Deno.test("a document's events come in order, with entities decoded and line breaks normalised", async () => {
  assertEquals(await parse(DOCUMENT), EVENTS);
});

Deno.test("the same events come wherever the text is cut", async () => {
  for (let cut = 0; cut <= DOCUMENT.length; cut++) {
    assertEquals(await parse([DOCUMENT.slice(0, cut), DOCUMENT.slice(cut)]), EVENTS, `at ${cut}`);
  }
  assertEquals(await parse(DOCUMENT.split("")), EVENTS);
});

Deno.test("the same events come wherever the bytes are cut, with and without a byte order mark", async () => {
  const bytes = new TextEncoder().encode("\ufeff" + DOCUMENT);
  for (const from of [0, 3]) {
    for (const size of [1, 2, 3, 7, 64, bytes.length]) {
      const events: Event[] = [];
      const chunks = [];
      for (let index = from; index < bytes.length; index += size) {
        chunks.push(bytes.subarray(index, index + size));
      }
      await parseXmlStreamFromBytes(ReadableStream.from(chunks), recorder(events));
      assertEquals(events, EVENTS, `${size} bytes a chunk`);
    }
  }
});

Deno.test("options leave out or turn over what they say", async () => {
  const kinds = async (options: ParseStreamOptions) =>
    (await parse("<a> <b>x</b><!--c--><?p?><![CDATA[d]]></a>", options)).map(([kind]) => kind).join(
      " ",
    );
  assertEquals(await kinds({}), "start text start text end comment pi cdata end");
  assertEquals(
    await kinds({ ignoreWhitespace: true }),
    "start start text end comment pi cdata end",
  );
  assertEquals(await kinds({ ignoreComments: true }), "start text start text end pi cdata end");
  assertEquals(
    await kinds({ ignoreProcessingInstructions: true }),
    "start text start text end comment cdata end",
  );
  assertEquals(
    await kinds({ coerceCDataToText: true }),
    "start text start text end comment pi text end",
  );
});

Deno.test("white space written as an entity, or beside other text, is kept where it is a part of the text", async () => {
  const texts = async (document: string) =>
    (await parse(document, { ignoreWhitespace: true })).filter(([kind]) => kind === "text").flat();
  assertEquals(await texts("<a> b </a>"), ["text", " b "]);
  assertEquals(await texts("<a>\u00a0</a>"), ["text", "\u00a0"]);
  assertEquals(await texts("<a>&#32;\t\r\n</a>"), []);
});

Deno.test("positions are those of the first character, from line 1 and column 1, if they are tracked", async () => {
  const document =
    '<?xml version="1.0"?>\n<a>\n  <b\n x="1" x2="2"/>t&amp;u\n<!--c--><![CDATA[d]]>\u00e9</a>';
  const expected = [
    ["declaration", 1, 1, 0],
    ["start", 2, 1, 22],
    ["text", 2, 4, 25],
    ["start", 3, 3, 28],
    ["end", 3, 3, 28],
    ["text", 4, 16, 46],
    ["comment", 5, 1, 54],
    ["cdata", 5, 9, 62],
    ["text", 5, 22, 75],
    ["end", 5, 23, 76],
  ];
  const places = (events: Event[]) => events.map((event) => [event[0], ...event.slice(-3)]);
  assertEquals(places(await parse(document, { trackPosition: true }, true)), expected);
  assertEquals(places(await parse(document.split(""), { trackPosition: true }, true)), expected);
  const untracked = expected.map(([kind]) => [kind, 0, 0, 0]);
  assertEquals(places(await parse(document, {}, true)), untracked);
});

Deno.test("an error says where it is, if positions are tracked", async () => {
  const document = "<a>\n <b></c>\n</a>";
  const error = await assertRejects(() => parse(document, { trackPosition: true }), XmlSyntaxError);
  assertEquals([error.line, error.column, error.offset], [2, 8, 11]);
  assertStringIncludes(error.message, "at line 2, column 8");
  const untracked = await assertRejects(() => parse(document), XmlSyntaxError);
  assertEquals([untracked.line, untracked.column, untracked.offset], [0, 0, 0]);
  assertEquals(untracked.message.includes("line"), false);
  assertInstanceOf(untracked, SyntaxError);
});

const MALFORMED = [
  "",
  "  ",
  "text",
  "<!-- only -->",
  "<a>",
  "<a",
  "<a b",
  "<a b=",
  '<a b="',
  '<a b="1"',
  "<a><b></a>",
  "<a></b>",
  "</a>",
  "<a/><b/>",
  "<a/>text",
  "<a/>&amp;",
  "text<a/>",
  "<a/><",
  "<a/><!-- ",
  "<a>&unknown;</a>",
  "<a>&amp</a>",
  "<a>&#0;</a>",
  "<a>&#xD800;</a>",
  "<a>\u0001</a>",
  "<a>\ufffe</a>",
  "<a>]]></a>",
  "<a>\ud800</a>",
  "<a/>\ud800",
  "<a>\udc00</a>",
  "<a><![CDATA[</a>",
  "<a><!-- -- --></a>",
  "<a b=1/>",
  "<a b/>",
  '<a b="1"c="2"/>',
  '<a b="<"/>',
  '<a b="&"/>',
  '<a b="\u0001"/>',
  '<a b="\ud800"/>',
  '<a b="\ufffe"/>',
  '<a b="1" b="2"/>',
  '<a b="1" c="2" b="&amp;"/>',
  '<a 1b="1"/>',
  "<1a/>",
  "< a/>",
  '<a/ b="1">',
  ' <?xml version="1.0"?><a/>',
  '<?xml encoding="UTF-8"?><a/>',
  "<a/><?xml?>",
  "<!DOCTYPE a><a/>",
  "<a><!DOCTYPE a></a>",
];

Deno.test("a document that is not well-formed is refused, wherever it is cut", async () => {
  for (const document of MALFORMED) {
    for (const chunks of [[document], document.split("")]) {
      for (const trackPosition of [false, true]) {
        await assertRejects(
          () => parse(chunks, { trackPosition }),
          XmlSyntaxError,
          undefined,
          JSON.stringify(document),
        );
      }
    }
  }
});

Deno.test("every part of a document, cut short, is refused", async () => {
  const complete = DOCUMENT.lastIndexOf("</planList>") + "</planList>".length;
  for (let length = 0; length < complete; length++) {
    await assertRejects(
      () => parse(DOCUMENT.slice(0, length)),
      XmlSyntaxError,
      undefined,
      `${length}`,
    );
  }
});

Deno.test("bytes that are not UTF-8 are refused, also at the end", async () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  for (
    const chunks of [
      [encode("<a>"), Uint8Array.of(0xff), encode("</a>")],
      [encode("<a>"), Uint8Array.of(0xc3), encode("</a>")],
      [encode("<a/>"), Uint8Array.of(0xc3)],
      [encode("<a>"), Uint8Array.of(0xed, 0xa0, 0x80), encode("</a>")],
      [Uint8Array.of(0xff, 0xfe), encode("<a/>")],
    ]
  ) {
    const error = await assertRejects(
      () => parseXmlStreamFromBytes(ReadableStream.from(chunks), {}),
      XmlSyntaxError,
      "UTF-8",
    );
    assertInstanceOf(error.cause, TypeError);
  }
});

Deno.test("a DOCTYPE is refused where it begins, and nothing is read of it", async () => {
  let pulled = 0;
  const endless = async function* () {
    yield "<!DOCTYPE a [";
    for (;;) {
      assert(++pulled < 10);
      yield "<!ENTITY b 'c'>";
    }
  };
  await assertRejects(() => parseXmlStream(endless(), {}), XmlSyntaxError, "DOCTYPE");
  assertEquals(pulled, 0);
});

Deno.test("a DOCTYPE that is allowed is told, and its entities are not expanded", async () => {
  const allowed = { disallowDoctype: false };
  const told = async (doctype: string) => (await parse(`${doctype}<a/>`, allowed))[0].slice(1);
  assertEquals(await told("<!DOCTYPE a>"), ["a", undefined, undefined]);
  assertEquals(await told("<!DOCTYPE a SYSTEM 'b'>"), ["a", undefined, "b"]);
  assertEquals(await told('<!DOCTYPE a PUBLIC "p" "s" [<!ENTITY b "]>">] >'), ["a", "p", "s"]);
  await assertRejects(
    () => parse('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', allowed),
    XmlSyntaxError,
    "entity",
  );
  await assertRejects(() => parse("<!DOCTYPE a NONSENSE><a/>", allowed), XmlSyntaxError, "DOCTYPE");
  await assertRejects(() => parse("<!DOCTYPE><a/>", allowed), XmlSyntaxError, "DOCTYPE");
  await assertRejects(() => parse("<a/><!DOCTYPE a>", allowed), XmlSyntaxError);
});

Deno.test("depth and attributes are allowed up to their limits", async () => {
  assertEquals((await parse("<a><b/><b/></a>", { maxDepth: 2 })).length, 6);
  await assertRejects(() => parse("<a><b><c/></b></a>", { maxDepth: 2 }), XmlSyntaxError, "2 deep");
  const element = (count: number, value: string) =>
    `<a ${Array.from({ length: count }, (_, index) => `a${index}="${value}"`).join(" ")}/>`;
  for (const value of ["1", "&amp;"]) {
    assertEquals((await parse(element(3, value), { maxAttributes: 3 })).length, 2);
    await assertRejects(
      () => parse(element(4, value), { maxAttributes: 3 }),
      XmlSyntaxError,
      "3 attributes",
    );
  }
});

Deno.test("a duplicate is found among many attributes, and only a duplicate", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `a${index}`);
  const element = (names: string[]) => `<a ${names.map((name) => `${name}="1"`).join(" ")}/>`;
  const document = `<r>${element(names)}${element(names.toReversed())}</r>`;
  assertEquals((await parse(document)).length, 6);
  for (const duplicate of ["a0", "a40", "a99"]) {
    await assertRejects(() => parse(element([...names, duplicate])), XmlSyntaxError, duplicate);
  }
});

Deno.test("names taken over from the element before are those of this element", async () => {
  const events = await parse(
    '<r><a id="1" n="2"/><a idx="1" m="2"/><a i="1"/><a id="1" id2="3"/><a/></r>',
  );
  const pairs = events.filter(([kind, name]) => kind === "start" && name === "a").map((event) =>
    event[4]
  );
  assertEquals(pairs, [
    [["id", "1"], ["n", "2"]],
    [["idx", "1"], ["m", "2"]],
    [["i", "1"]],
    [["id", "1"], ["id2", "3"]],
    [],
  ]);
});

Deno.test("a duplicate is found where its name was taken over from different elements", async () => {
  const before = `<a a="1" b="2" c="3"/><a b="1"/>`;
  assertEquals((await parse(`<r>${before}<a b="1" c="2"/></r>`)).length, 8);
  await assertRejects(
    () => parse(`<r>${before}<a b="1" b="2"/></r>`),
    XmlSyntaxError,
    "attribute: b",
  );
});

Deno.test("attributes give colons, and no namespaces", async () => {
  const seen: unknown[] = [];
  await parseXmlStream(ReadableStream.from(['<a xmlns:x="u" x:b="1"/>']), {
    onStartElement: (_name, _colon, _uri, attributes) =>
      seen.push(attributes.getColonIndex(0), attributes.getColonIndex(1), attributes.getUri(1)),
  });
  assertEquals(seen, [5, 1, undefined]);
});

Deno.test("only the callbacks that are there are called, as methods", async () => {
  await parseXmlStream(ReadableStream.from([DOCUMENT]), {});
  const callbacks = {
    names: [] as string[],
    onEndElement(name: string) {
      this.names.push(name);
    },
  };
  await parseXmlStream(ReadableStream.from([DOCUMENT]), callbacks);
  assertEquals(callbacks.names, ["plan", "x:plan", "planList"]);
});

Deno.test("what a callback throws comes out, and the source is closed", async () => {
  let closed = 0;
  const source = async function* () {
    try {
      for (;;) yield "<a>";
    } finally {
      closed++;
    }
  };
  const problem = new Error("from the callback");
  const onStartElement = () => {
    throw problem;
  };
  const thrown = await assertRejects(() => parseXmlStream(source(), { onStartElement }));
  assert(thrown === problem);
  await assertRejects(() => parseXmlStream(source(), {}, { maxDepth: 5 }), XmlSyntaxError);
  assertEquals(closed, 2);
});

Deno.test("what the source throws comes out as it is", async () => {
  const source = async function* () {
    yield new TextEncoder().encode("<a>");
    await Promise.resolve();
    throw new TypeError("connection reset");
  };
  const error = await assertRejects(
    () => parseXmlStreamFromBytes(source(), {}),
    TypeError,
    "reset",
  );
  assertEquals(error instanceof XmlSyntaxError, false);
});

/** The events of saxes as it is, which ours must equal: `null` if it refuses the document. */
function parseWithSaxes(document: string): Event[] | null {
  const events: Event[] = [];
  const saxes = new SaxesParser({ forceXMLVersion: true, defaultXMLVersion: "1.0" });
  let depth = 0;
  saxes.on("opentag", ({ name, attributes, isSelfClosing }) => {
    depth++;
    events.push(start(name, Object.entries(attributes), isSelfClosing));
  });
  saxes.on("closetag", ({ name }) => {
    depth--;
    events.push(end(name));
  });
  saxes.on("text", (text) => depth > 0 && events.push(["text", text]));
  try {
    saxes.write(document).close();
    return events;
  } catch {
    return null;
  }
}

Deno.test("mangled documents are read, or refused, as saxes alone does", async () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const base =
    '<r>\n<a b="1" c="x y"  dd="&lt;">t</a><a b="2" c="\u00e9"\td="\u{1f600}"/><a b="3"\n c=""/></r>';
  const inserts = [
    '"',
    " ",
    "<",
    ">",
    "/",
    "=",
    "&",
    "\n",
    "a",
    "b=",
    ' b="1"',
    "\u0001",
    "\u00e9",
    "]]>",
    "",
  ];
  let accepted = 0, refused = 0;
  for (let round = 0; round < 4_000; round++) {
    let document = base;
    for (let edits = 1 + random(2); edits > 0; edits--) {
      const at = random(document.length);
      document = document.slice(0, at) + inserts[random(inserts.length)] +
        document.slice(at + random(3));
    }
    // An edit must not split the pair: lone surrogates are refused by us and not by saxes.
    if (!document.isWellFormed()) continue;
    const cut = random(document.length);
    const expected = parseWithSaxes(document);
    const chunks = [document.slice(0, cut), document.slice(cut)];
    const events = await parse(chunks).catch((error) => {
      assertInstanceOf(error, XmlSyntaxError);
      return null;
    });
    const message = JSON.stringify(chunks);
    const comparable = events?.filter(([kind]) =>
      ["start", "end", "text"].includes(String(kind))
    ) ?? null;
    assertEquals(comparable, expected, message);
    if (expected === null) refused++;
    else accepted++;
  }
  assert(accepted > 200 && refused > 1_000, `${accepted} accepted, ${refused} refused`);
});
