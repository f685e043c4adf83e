import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32, crc32Between, crc32Combine, crc32Without } from "./crc32.ts";

const pieces = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }));

Deno.test("checksums equal zlib's, whole, continued, combined, between and without the last byte", () => {
  fc.assert(fc.property(pieces, ([a, b]) => {
    const whole = Uint8Array.of(...a, ...b);
    const expected = zlibCrc32(whole);
    assertEquals(crc32(whole), expected);
    assertEquals(crc32(b, crc32(a)), expected);
    assertEquals(crc32Combine(zlibCrc32(a), zlibCrc32(b), b.length), expected);
    assertEquals(crc32Between(zlibCrc32(a), expected, b.length), zlibCrc32(b));
    if (b.length > 0) {
      assertEquals(crc32Without(expected, b[b.length - 1]), zlibCrc32(whole.subarray(0, -1)));
    }
  }));
});

Deno.test("lengths around every digit of the table of powers combine", () => {
  const head = new TextEncoder().encode("head");
  const tail = new Uint8Array(2 ** 22 + 2_049).map((_, i) => i * 7 + (i >> 8));
  for (const digit of [0, 2 ** 8, 2 ** 11, 2 ** 16, 2 ** 22, 2 ** 22 + 2 ** 11]) {
    for (const length of [digit - 1, digit, digit + 1].filter((one) => one >= 0)) {
      const piece = tail.subarray(0, length);
      const whole = zlibCrc32(piece, zlibCrc32(head));
      assertEquals(crc32Combine(zlibCrc32(head), zlibCrc32(piece), length), whole, `${length}`);
    }
  }
});
