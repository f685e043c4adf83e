import { STATUS_CODES } from "node:http";
import { assertEquals } from "@std/assert";
import { STATUS_CODE, STATUS_TEXT, type StatusCode, type StatusText } from "@std/http/status";

/** Where @std/http's text is not the one that Node has. */
const TEXTS: Record<number, string> = {
  203: "Non Authoritative Info",
  207: "Multi Status",
  407: "Proxy Auth Required",
  413: "Content Too Large",
  418: "I'm a teapot",
};

Deno.test("the codes and their texts are those of HTTP", () => {
  // Node also has 509, which no standard has.
  const expected = Object.entries(STATUS_CODES).filter(([code]) => code !== "509")
    .map(([code, text]) => [code, TEXTS[Number(code)] ?? text]);
  assertEquals(STATUS_TEXT as Record<number, string>, Object.fromEntries(expected));
  assertEquals(Object.values(STATUS_CODE).map(String).sort(), Object.keys(STATUS_TEXT).sort());
  const code: StatusCode = STATUS_CODE.ServiceUnavailable;
  const text: StatusText = STATUS_TEXT[code];
  assertEquals([code, text], [503, "Service Unavailable"]);
});

Deno.test("a code's name is its text without what is not a letter", () => {
  for (const [name, code] of Object.entries(STATUS_CODE)) {
    if (code !== STATUS_CODE.Teapot) assertEquals(STATUS_TEXT[code].replaceAll(" ", ""), name);
  }
});
