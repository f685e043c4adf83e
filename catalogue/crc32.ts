/**
 * CRC-32 as gzip has it (RFC 1952 section 8), in a form that lets the checksum of a whole be put together from the
 * checksums of its parts. A checksum is the remainder of the data, taken as a polynomial over GF(2), divided by
 * POLYNOMIAL; to append n bytes is to multiply by x^(8n), so that a concatenation is a multiplication and an addition.
 * Polynomials are written as gzip does, the highest bit standing for x^0.
 *
 * @module
 */
const POLYNOMIAL = 0xedb8_8320;
/** x^0, the factor that changes nothing. */
const ONE = 0x8000_0000;
/** x^8: one more byte. */
const BYTE = 0x0080_0000;

/** TABLES[n][byte]: what a byte contributes to the checksum when n more bytes follow it. */
const TABLES = Array.from({ length: 4 }, () => new Int32Array(256));
const [TABLE, TABLE_1, TABLE_2, TABLE_3] = TABLES;
/** By the highest byte of an entry of the first table, its place there; each occurs once. */
const PLACE = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (POLYNOMIAL & -(value & 1));
  TABLE[byte] = value;
  PLACE[value >>> 24] = byte;
}
for (let n = 1; n < TABLES.length; n++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = TABLES[n - 1][byte];
    TABLES[n][byte] = TABLE[before & 255] ^ (before >>> 8);
  }
}

/**
 * Continues a checksum over bytes, four at a time.
 *
 * @param checksum That of what comes before; 0 at the beginning
 *
 * @example
 * ```ts
 * import { crc32 } from "./crc32.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
 * ```
 */
export function crc32(bytes: Uint8Array, checksum = 0): number {
  let state = ~checksum;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    state ^= bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
    state = TABLE_3[state & 255] ^ TABLE_2[(state >>> 8) & 255] ^ TABLE_1[(state >>> 16) & 255] ^
      TABLE[state >>> 24];
  }
  for (; i < bytes.length; i++) state = TABLE[(state ^ bytes[i]) & 255] ^ (state >>> 8);
  return ~state >>> 0;
}

/** The checksum without the last byte of the data. */
export function crc32Without(checksum: number, lastByte: number): number {
  const state = ~checksum;
  const place = PLACE[state >>> 24];
  return ~(((state ^ TABLE[place]) << 8) | (place ^ lastByte)) >>> 0;
}

/** The product of two polynomials modulo POLYNOMIAL. About 30 ns. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let rest = a; rest !== 0; rest <<= 1) {
    product ^= b & (rest >> 31);
    b = (b >>> 1) ^ (POLYNOMIAL & -(b & 1));
  }
  return product;
}

const DIGIT_BITS = 11;
const DIGIT_MASK = (1 << DIGIT_BITS) - 1;
/** x^(8 i), x^(8 i 2^11), x^(8 i 2^22): a length below 4 GiB has three digits. */
const POWERS = [BYTE, 0, 0].map((first, digit) => {
  const powers = new Int32Array(1 << (digit === 2 ? 32 - 2 * DIGIT_BITS : DIGIT_BITS));
  for (let i = 0; i < digit * DIGIT_BITS; i++) {
    first = i === 0 ? multiply(BYTE, BYTE) : multiply(first, first);
  }
  powers[0] = ONE;
  for (let i = 1; i < powers.length; i++) powers[i] = multiply(powers[i - 1], first);
  return powers;
});
const [LOW, MIDDLE, HIGH] = POWERS;

/** Multiplies by x^(8 n): what appending n bytes, fewer than 4 GiB, does to a difference between checksums. */
export function crc32Shift(checksum: number, byteLength: number): number {
  let shifted = multiply(checksum, LOW[byteLength & DIGIT_MASK]);
  const middle = (byteLength >>> DIGIT_BITS) & DIGIT_MASK;
  if (middle !== 0) shifted = multiply(shifted, MIDDLE[middle]);
  const high = byteLength >>> (2 * DIGIT_BITS);
  if (high !== 0) shifted = multiply(shifted, HIGH[high]);
  return shifted;
}

/**
 * The checksum of two pieces one after the other.
 *
 * @param lengthOfB Bytes of the second, fewer than 4 GiB
 */
export function crc32Combine(checksumOfA: number, checksumOfB: number, lengthOfB: number): number {
  return (crc32Shift(checksumOfA, lengthOfB) ^ checksumOfB) >>> 0;
}

/**
 * The checksum of a piece, from the checksums of everything up to its begin and up to its end.
 *
 * @param byteLength Bytes of the piece, fewer than 4 GiB
 *
 * @example
 * ```ts
 * import { crc32, crc32Between } from "./crc32.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("Tosca, Aida");
 * const [toBegin, toEnd] = [crc32(bytes.subarray(0, 7)), crc32(bytes)];
 * assertEquals(crc32Between(toBegin, toEnd, 4), crc32(bytes.subarray(7)));
 * ```
 */
export function crc32Between(toBegin: number, toEnd: number, byteLength: number): number {
  return (crc32Shift(toBegin, byteLength) ^ toEnd) >>> 0;
}
