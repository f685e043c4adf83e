import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import { eTag, ifMatch, ifNoneMatch } from "@std/http/etag";

Deno.test("eTag of a body is its length and its SHA-256 in base64, cut", async () => {
  // echo -n hello | openssl dgst -sha256 -binary | base64
  assertEquals(await eTag("hello"), '"5-LPJNul+wow4m6DsqxbninhsWHlw"');
  assertEquals(await eTag(new TextEncoder().encode("hello")), await eTag("hello"));
  assertEquals(await eTag(""), '"0-47DEQpj8HBSa+/TImW+5JCeuQeR"');
  assertEquals(await eTag(new Uint8Array()), await eTag(""));
  assertEquals((await eTag("\u00e9".repeat(10))).slice(0, 4), '"14-');
  assertEquals(await eTag("hello", { weak: true }), 'W/"5-LPJNul+wow4m6DsqxbninhsWHlw"');
  assertNotEquals(await eTag("hello", { algorithm: "SHA-384" }), await eTag("hello"));
});

Deno.test("eTag of a file depends on size and time, is weak, and needs the time", async () => {
  const file = { size: 255, mtime: new Date(0) };
  const tag = await eTag(file);
  assert(tag !== undefined && tag.startsWith('W/"ff-'));
  assertNotEquals(await eTag({ ...file, size: 256 }), tag);
  assertNotEquals(await eTag({ ...file, mtime: new Date(1) }), tag);
  assertEquals(await eTag(file, { weak: false }), tag.slice(2));
  assertEquals(await eTag({ ...file, mtime: null }), undefined);
});

Deno.test("ifNoneMatch compares weakly, with every tag of the list", () => {
  for (const value of ['"a"', 'W/"a"', '"b", "a"', ' "b" ,W/"a" ', '"b,c", "a"', "*", " * "]) {
    assertFalse(ifNoneMatch(value, '"a"'), value);
    assertFalse(ifNoneMatch(value, 'W/"a"'), value);
  }
  for (const value of ['"b"', '"A"', "a", '"b,"a"c"', '"aa"', "", "*,", '"x, "a"']) {
    assert(ifNoneMatch(value, '"a"'), value);
  }
  assert(ifNoneMatch(null, '"a"'));
  assert(ifNoneMatch('"a"', undefined));
  assertFalse(ifNoneMatch('"a,b"', '"a,b"'));
});

Deno.test("ifMatch compares strongly, with every tag of the list", () => {
  for (const value of ['"a"', '"b", "a"', "*"]) assert(ifMatch(value, '"a"'), value);
  for (const value of ['W/"a"', '"b"', "", null]) assertFalse(ifMatch(value, '"a"'), String(value));
  assertFalse(ifMatch('W/"a"', 'W/"a"'));
  assertFalse(ifMatch("*", 'W/"a"'));
  assertFalse(ifMatch("*", undefined));
});
