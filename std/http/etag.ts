/**
 * Makes entity tags, and evaluates the conditions that requests put on them (RFC 9110, sections 8.8.3 and 13.1).
 *
 * @module
 */

/** What of a file its entity tag is made from; a `Deno.FileInfo` is one. */
export interface FileInfo {
  /** When it was last changed, where the platform knows. */
  mtime: Date | null;
  /** Its size in bytes. */
  size: number;
}

/** The options of {@linkcode eTag}. */
export interface ETagOptions {
  /**
   * The digest to use.
   *
   * @default {"SHA-256"}
   */
  algorithm?: AlgorithmIdentifier;
  /** Whether the tag is weak; without it, that of a file is and that of bytes is not. */
  weak?: boolean;
}

/** Characters of the digest, in base64, that a tag keeps: 162 bits. */
const DIGEST_CHARACTERS = 27;

/**
 * Makes the entity tag of a body, strong unless asked for otherwise.
 *
 * @example
 * ```ts
 * import { eTag } from "@std/http/etag";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await eTag("hello"), '"5-LPJNul+wow4m6DsqxbninhsWHlw"');
 * ```
 */
export async function eTag(
  entity: string | ReturnType<TextEncoder["encode"]>,
  options?: ETagOptions,
): Promise<string>;
/**
 * Makes the entity tag of a file from its size and time, weak unless asked for otherwise; undefined without a time.
 *
 * @example
 * ```ts
 * import { eTag } from "@std/http/etag";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await eTag({ size: 3, mtime: new Date(0) }), 'W/"3-fV7l2JDWcybWhXieoDDmVxKEFxe"');
 * ```
 */
export async function eTag(entity: FileInfo, options?: ETagOptions): Promise<string | undefined>;
export async function eTag(
  entity: string | ReturnType<TextEncoder["encode"]> | FileInfo,
  { algorithm = "SHA-256", weak }: ETagOptions = {},
): Promise<string | undefined> {
  let digested: Uint8Array<ArrayBuffer>, size: number;
  if (typeof entity === "string" || entity instanceof Uint8Array) {
    digested = typeof entity === "string" ? new TextEncoder().encode(entity) : entity;
    size = digested.length;
  } else {
    if (entity.mtime === null) return undefined;
    digested = new TextEncoder().encode(entity.mtime.toJSON());
    size = entity.size;
    weak ??= true;
  }
  const digest = new Uint8Array(await crypto.subtle.digest(algorithm, digested)).toBase64();
  return `${weak ? "W/" : ""}"${size.toString(16)}-${digest.slice(0, DIGEST_CHARACTERS)}"`;
}

/**
 * Evaluates If-Match by strong comparison: true if one of the tags listed is that of the entity, or the header is `*`.
 *
 * @param value The header
 * @param etag The entity's tag; without one, or with a weak one, the answer is false
 *
 * @example
 * ```ts
 * import { ifMatch } from "@std/http/etag";
 * import { assert, assertFalse } from "@std/assert";
 *
 * assert(ifMatch('"a", "b"', '"b"'));
 * assertFalse(ifMatch('W/"b"', '"b"'));
 * ```
 */
export function ifMatch(value: string | null, etag: string | undefined): boolean {
  if (!value || !etag || etag.startsWith("W/")) return false;
  return value.trim() === "*" || listTags(value).includes(etag);
}

/**
 * Evaluates If-None-Match by weak comparison: false, and so 304 without a body, if one of the tags listed is that of the
 * entity, or the header is `*`.
 *
 * @param value The header
 * @param etag The entity's tag; without one the answer is true
 *
 * @example
 * ```ts
 * import { ifNoneMatch } from "@std/http/etag";
 * import { assert, assertFalse } from "@std/assert";
 *
 * assert(ifNoneMatch('"a"', '"b"'));
 * assertFalse(ifNoneMatch('"a", W/"b"', '"b"'));
 * ```
 */
export function ifNoneMatch(value: string | null, etag: string | undefined): boolean {
  if (!value || !etag) return true;
  return value.trim() !== "*" && !listTags(value).map(opaque).includes(opaque(etag));
}

/** Splits a list of tags; within quotes a comma is part of the tag. */
function listTags(value: string): string[] {
  return value.match(/(?:"[^"]*"|[^,])+/g)?.map((tag) => tag.trim()) ?? [];
}

function opaque(etag: string): string {
  return etag.startsWith("W/") ? etag.slice(2) : etag;
}
