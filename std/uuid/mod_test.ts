import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { NIL_UUID, v5, v7, validate, version } from "@std/uuid";
import { NAMESPACE_DNS, NAMESPACE_OID, NAMESPACE_URL, NAMESPACE_X500 } from "@std/uuid/constants";
import { generate } from "@std/uuid/v5";

/** The examples of RFC 9562: A.1, A.4 and A.6. */
const V1 = "C232AB00-9414-11EC-B3C8-9F6BDECED846";
const V5 = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
const V7 = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("v5 gives the UUID of RFC 9562's example", async () => {
  assertEquals(await v5.generate(NAMESPACE_DNS, encode("www.example.com")), V5);
  assertEquals(await generate(NAMESPACE_DNS, encode("www.example.com")), V5);
});

Deno.test("v5 tells namespaces and names apart, and takes any bytes", async () => {
  const namespaces = [NAMESPACE_DNS, NAMESPACE_URL, NAMESPACE_OID, NAMESPACE_X500, NIL_UUID];
  const names = [encode(""), encode("a"), encode("\u00e9"), Uint8Array.of(0xff)];
  const made = await Promise.all(
    namespaces.flatMap((namespace) => names.map((name) => v5.generate(namespace, name))),
  );
  assertEquals(new Set(made).size, namespaces.length * names.length);
  assert(made.every((uuid) => v5.validate(uuid)));
  await assertRejects(() => v5.generate("6ba7b810", encode("a")), TypeError, '"6ba7b810"');
});

Deno.test("v5 leaves the bytes it was given alone", async () => {
  const name = encode("www.example.com");
  await v5.generate(NAMESPACE_DNS, name);
  assertEquals(name, encode("www.example.com"));
});

Deno.test("v7 holds its timestamp, and sorts by it", () => {
  assertEquals(v7.extractTimestamp(V7), 1645557742000);
  for (const timestamp of [0, 1, 1645557742000, 2 ** 48 - 1]) {
    const uuid = v7.generate(timestamp);
    assert(v7.validate(uuid));
    assertEquals(v7.extractTimestamp(uuid), timestamp);
  }
  assert(v7.generate(1000) < v7.generate(1001));
  const before = Date.now();
  const now = v7.extractTimestamp(v7.generate());
  assert(before <= now && now <= Date.now());
  assertFalse(v7.generate(1) === v7.generate(1));
});

Deno.test("v7 refuses a timestamp that does not fit, and to read one from another version", () => {
  for (const timestamp of [-1, 0.5, NaN, Infinity, 2 ** 48]) {
    assertThrows(() => v7.generate(timestamp), RangeError, String(timestamp));
  }
  assertThrows(() => v7.extractTimestamp(V5), TypeError, V5);
});

Deno.test("UUIDs are told from other texts, and versions from each other", () => {
  assertEquals([V1, V5, V7, NIL_UUID].map(validate), [true, true, true, true]);
  assertEquals([V1, V5, V7, NIL_UUID].map(version), [1, 5, 7, 0]);
  assertEquals([V1, V5, V7, NIL_UUID].map(v5.validate), [false, true, false, false]);
  assertEquals([V1, V5, V7, NIL_UUID].map(v7.validate), [false, false, true, false]);
  for (
    const text of [
      "",
      "x",
      V5.slice(1),
      `${V5}0`,
      `{${V5}}`,
      V5.replaceAll("-", ""),
      V5.replace("5", "g"),
    ]
  ) {
    assertFalse(validate(text), text);
    assertFalse(v5.validate(text), text);
    assertThrows(() => version(text), TypeError);
  }
});
