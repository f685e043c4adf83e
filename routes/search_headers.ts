import { acceptsEncodings } from "@std/http/negotiation";
import type { Coding, Edition } from "../catalogue/edition.ts";

/** How long a client may use an answer without asking again. */
const CACHE_CONTROL = "public, max-age=5";

/** The coding that a client would have, by its Accept-Encoding (RFC 9110 section 12.5.3). */
export function acceptedCoding(accepted: string | null): Coding {
  if (accepted === null) return "identity";
  const codings = accepted.toLowerCase();
  if (!codings.includes("gzip")) return "identity";
  if (codings === "gzip") return "gzip";
  const headers = new Headers({ "accept-encoding": codings });
  return acceptsEncodings({ headers } as Request, "gzip", "identity") === "gzip"
    ? "gzip"
    : "identity";
}

/** The header fields of an answer to a search, by name. */
export function searchHeaders(edition: Edition, coding: Coding): Record<string, string> {
  const { etag, versionText } = edition;
  if (coding === "identity") {
    return {
      "content-type": "application/json",
      "etag": etag,
      "cache-control": CACHE_CONTROL,
      "vary": "accept-encoding",
      "x-catalogue-version": versionText,
    };
  }
  return {
    "content-type": "application/json",
    "content-encoding": "gzip",
    // Weak (RFC 9110 section 8.8.1): the same events, not always compressed to the same bytes.
    "etag": `W/${etag}`,
    "cache-control": CACHE_CONTROL,
    "vary": "accept-encoding",
    "x-catalogue-version": versionText,
  };
}
