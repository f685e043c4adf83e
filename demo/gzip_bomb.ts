/**
 * A small gzip file that inflates to more than a gibibyte of well-formed XML.
 *
 * @module
 */

import { constants, crc32, deflateRawSync } from "node:zlib";

/** The polynomial of gzip's checksum, lowest power in the highest bit. */
const POLYNOMIAL = 0xedb88320;
const MEBIBYTE = 2 ** 20;
/** Deflate, no name, no time, unknown system. */
const HEADER = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

/**
 * Makes a gzip file of a head, so many mebibytes of spaces, and a tail, about 1 kB for each
 * mebibyte. It is valid to its last byte: only a limit on the inflated size stops it.
 *
 * One mebibyte is deflated, up to a byte's edge and without a look back, and its bytes repeated;
 * the checksum of the whole is worked out from the checksum of the part.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * const bomb = new Response(gzipBomb("<a>", 1, "</a>")).body!;
 * const text = await new Response(bomb.pipeThrough(new DecompressionStream("gzip"))).text();
 * assertEquals(text.length, "<a>".length + 2 ** 20 + "</a>".length);
 * ```
 *
 * @param head Text before the spaces.
 * @param mebibytes How many mebibytes of spaces; the whole must stay under 4 GiB.
 * @param tail Text after the spaces.
 * @returns The file.
 */
export function gzipBomb(head: string, mebibytes: number, tail: string): Blob {
  const [first, last] = [head, tail].map((text) => new TextEncoder().encode(text));
  const spaces = new Uint8Array(MEBIBYTE).fill(0x20);
  const block = deflateToByteEdge(spaces);

  let checksum = crc32(first);
  const [spacesChecksum, spacesShift] = [crc32(spaces), powerOfX(8 * MEBIBYTE)];
  for (let n = 0; n < mebibytes; n++) checksum = multiply(spacesShift, checksum) ^ spacesChecksum;
  checksum = multiply(powerOfX(8 * last.length), checksum) ^ crc32(last);

  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, checksum, true);
  trailer.setUint32(4, first.length + mebibytes * MEBIBYTE + last.length, true);
  const blocks = Array.from({ length: mebibytes }, () => block);
  const end = Uint8Array.from(deflateRawSync(last));
  return new Blob([HEADER, deflateToByteEdge(first), ...blocks, end, trailer]);
}

function deflateToByteEdge(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(deflateRawSync(bytes, { finishFlush: constants.Z_FULL_FLUSH }));
}

/** The product of two polynomials over GF(2), modulo the checksum's. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 31; bit >= 0; bit--) {
    if (a >>> bit & 1) product ^= b;
    b = (b >>> 1) ^ (b & 1 ? POLYNOMIAL : 0);
  }
  return product;
}

/** x to the power of an integer, modulo the checksum's polynomial. */
function powerOfX(exponent: number): number {
  let [power, square] = [1 << 31, 1 << 30];
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}
