import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { HttpError, parseQuery, type QueryParameter, wholeNumber } from "./mod.ts";

const text: QueryParameter<string> = { description: "", schema: {}, parse: (value) => value };
const limit = wholeNumber({ minimum: 1, maximum: 10, description: "" });

function errorOf(raw: string): HttpError {
  return assertThrows(() => parseQuery(raw, { text, limit }), HttpError) as HttpError;
}

Deno.test("what is not given is null, and an empty value is an empty text", () => {
  assertEquals(parseQuery("", { text, limit }), { text: null, limit: null });
  assertEquals(parseQuery("text=", { text }), { text: "" });
  assertEquals(parseQuery("text", { text }), { text: "" });
  assertEquals(parseQuery("&&text=a&&", { text }), { text: "a" });
});

Deno.test("percent signs and plus signs are decoded, in names too", () => {
  assertEquals(parseQuery("text=a%20b+c%2Bd", { text }), { text: "a b c+d" });
  assertEquals(parseQuery("te%78t=%E2%82%AC", { text }), { text: "€" });
  assertEquals(parseQuery("text=a=b==", { text }), { text: "a=b==" });
  assertEquals(parseQuery("text=%26limit=3", { text, limit }), { text: "&limit=3", limit: null });
});

Deno.test("any text comes back as URLSearchParams wrote it", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.string(), (value, other) => {
    const raw = new URLSearchParams({ text: value, other }).toString();
    assertEquals(parseQuery(raw, { text }), { text: value });
  }));
});

Deno.test("unknown parameters are ignored, however they are written and however often", () => {
  assertEquals(parseQuery("x=1&x=2&%zz=%zz&=&toString=1&__proto__=2&text=a", { text }), {
    text: "a",
  });
});

Deno.test("a parameter given twice is refused by its name, however it is written", () => {
  for (const raw of ["text=a&text=a", "text&text", "text=a&x=1&te%78t=b"]) {
    const { status, code, message } = errorOf(raw);
    assertEquals([status, code], [400, "invalid_parameter"]);
    assertEquals(message, "text: is given twice: give it once");
  }
});

Deno.test("what is no percent-encoded UTF-8 is refused with the name and the remedy", () => {
  for (const value of ["%", "%2", "%zz", "50%", "%ff", "%C3%28"]) {
    const { status, message } = errorOf(`text=${value}`);
    assertEquals(status, 400, value);
    assertEquals(
      message,
      "text: has a percent sign that begins no UTF-8 byte: write %25 for %",
    );
  }
});

Deno.test("a whole number is read within its bounds and nothing else is", () => {
  for (const [value, number] of [["1", 1], ["10", 10], ["007", 7]] as const) {
    assertEquals(parseQuery(`limit=${value}`, { limit }), { limit: number });
  }
  for (
    const value of ["0", "11", "-1", "%2B5", "1.0", "1e1", "", "%20", "five", "٣", "9".repeat(400)]
  ) {
    const { code, message } = errorOf(`limit=${value}`);
    assertEquals(code, "invalid_parameter", value);
    assertEquals(message.endsWith("is no whole number from 1 to 10"), true, message);
    assertEquals(message.startsWith('limit: "'), true, message);
    assertEquals(message.length < 200, true, "a long value is cut in the message");
  }
});
