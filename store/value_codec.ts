import { deflateRawSync, inflateRawSync } from "node:zlib";
import { VALUE_BYTES_MAX } from "./limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Text up to this length is stored as it is: it fits, and most events are far shorter. */
const PLAIN_TEXT_MAX = 8_192;
/** The first byte of deflated text. Plain text is JSON, which never begins with it. */
const DEFLATED = 0x01;

/**
 * Turns text into a value for the store: as it is when short, deflated when long.
 *
 * @returns `null` when even the deflated text exceeds {@linkcode VALUE_BYTES_MAX}
 */
export function encodeValue(text: string): Uint8Array | null {
  return encodeBytes(encoder.encode(text));
}

/** Whether {@linkcode encodeValue} takes a text; most are told by their length alone. */
export function fitsValue(text: string): boolean {
  return text.length * 3 <= PLAIN_TEXT_MAX || encodeValue(text) !== null;
}

/** Deflates bytes into a value, `null` when it is too large. Level 1: five times smaller at 100 MB/s. */
export function deflateValue(bytes: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const deflated = deflateRawSync(bytes, { level: 1 });
  if (deflated.length + 1 > VALUE_BYTES_MAX) return null;
  const value = new Uint8Array(deflated.length + 1);
  value[0] = DEFLATED;
  value.set(deflated, 1);
  return value;
}

/** The bytes that {@linkcode deflateValue} was given. */
export function inflateValue(value: Uint8Array): Uint8Array {
  return inflateRawSync(value.subarray(1));
}

/** A value of bytes that are UTF-8 text: themselves when short, deflated when long; `null` when too large. */
export function encodeBytes(bytes: Uint8Array): Uint8Array | null {
  return bytes.length <= PLAIN_TEXT_MAX ? bytes : deflateValue(bytes);
}

/**
 * Reads what {@linkcode encodeValue} or {@linkcode deflateValue} wrote.
 *
 * @throws {Error} If a deflated value is damaged
 */
export function decodeValue(value: Uint8Array): string {
  if (value[0] !== DEFLATED) return decoder.decode(value);
  const inflated = inflateValue(value);
  const text = decoder.decode(inflated);
  // Its memory goes back now: a log of hundreds of chunks would otherwise pile up until a collection.
  if (inflated.buffer.byteLength === inflated.byteLength) {
    (inflated.buffer as ArrayBuffer).transfer(0);
  }
  return text;
}
