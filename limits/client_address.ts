import ipaddr from "ipaddr.js";

/** A proxy that is trusted: who asks through it is what its X-Forwarded-For says. */
export const TRUSTED_PROXY = 1;
/** Nobody knows who asks: the kernel did not tell. */
export const UNKNOWN_CLIENT = 2;
/** Numbers of clients begin here. */
const FIRST_CLIENT = 3;
/** Proxies that one request may have come through; what was before them is not looked at. */
const PROXIES_MAX = 16;

/** A range of addresses, as `10.0.0.0/8`, or a single one. */
export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Reads a range of addresses.
 *
 * @throws {Error} If it is none
 */
export function parseAddressRange(text: string): AddressRange {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (!ipaddr.isValid(text) || /^\d+$/.test(text)) {
    throw new Error(`${JSON.stringify(text)} is no address: give 192.0.2.1, or 10.0.0.0/8`);
  }
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/**
 * Tells clients apart: by address, IPv6 by its first 64 bits, which is what one customer of a provider has. An address
 * in X-Forwarded-For counts only as far as proxies that are trusted have written it.
 *
 * @example
 * ```ts
 * import { ClientAddresses, parseAddressRange, TRUSTED_PROXY } from "./client_address.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const clients = new ClientAddresses([parseAddressRange("10.0.0.0/8")]);
 * assertEquals(clients.identify("2001:db8::1"), clients.identify("2001:db8::ffff"));
 * assertEquals(clients.identify("10.0.0.1"), TRUSTED_PROXY);
 * // The first address is what the client wrote itself.
 * assertEquals(
 *   clients.identifyForwarded("1.1.1.1, 203.0.113.7, 10.0.0.9"),
 *   clients.identify("203.0.113.7"),
 * );
 * ```
 */
export class ClientAddresses {
  readonly #trusted: readonly AddressRange[];
  readonly #seed: number;

  /**
   * @param trusted Proxies that are believed
   * @param seed A secret of 32 bits, so that nobody can look for an address that shares another's number; threads that
   * share a table of clients share it
   */
  constructor(trusted: readonly AddressRange[], seed = 0) {
    this.#trusted = trusted;
    this.#seed = seed;
  }

  /**
   * A client's number by the address of its connection.
   *
   * @returns One that is not 0; {@linkcode TRUSTED_PROXY} and {@linkcode UNKNOWN_CLIENT} are no clients
   */
  identify(hostname: string): number {
    const address = parse(hostname);
    if (address === null) return UNKNOWN_CLIENT;
    return this.#isTrusted(address) ? TRUSTED_PROXY : this.#numberOf(address);
  }

  /**
   * A client's number by the X-Forwarded-For of a trusted proxy: the last address that no trusted proxy has, or the
   * first where all of them are.
   *
   * @param forwardedFor The values of all such fields, joined by commas
   */
  identifyForwarded(forwardedFor: string): number {
    let found: ipaddr.IPv4 | ipaddr.IPv6 | null = null;
    let end = forwardedFor.length;
    for (let proxies = 0; proxies < PROXIES_MAX && end > 0; proxies++) {
      const comma = forwardedFor.lastIndexOf(",", end - 1);
      const address = parse(forwardedFor.slice(comma + 1, end));
      // Whoever wrote that is not to be believed about what is before it.
      if (address === null) break;
      found = address;
      if (!this.#isTrusted(address)) break;
      end = comma;
    }
    return found === null ? UNKNOWN_CLIENT : this.#numberOf(found);
  }

  #isTrusted(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
    return this.#trusted.some(([range, bits]) =>
      range.kind() === address.kind() && address.match(range, bits)
    );
  }

  /** Different IPv4 addresses have different numbers, as have the networks of one IPv6 provider. */
  #numberOf(address: ipaddr.IPv4 | ipaddr.IPv6): number {
    const bytes = new DataView(Uint8Array.from(address.toByteArray()).buffer);
    let number = mix(bytes.getInt32(0) ^ this.#seed);
    if (address.kind() === "ipv6") number = mix(number ^ bytes.getInt32(4) ^ 0x6666_6666);
    return number >= 0 && number < FIRST_CLIENT ? number + FIRST_CLIENT : number;
  }
}

/** Spreads numbers of 32 bits over all such numbers, each to one of its own (the finaliser of MurmurHash3). */
function mix(number: number): number {
  const once = Math.imul(number ^ (number >>> 16), 0x85eb_ca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2_ae35);
  return twice ^ (twice >>> 16);
}

/** An address with or without a port, IPv4 in IPv6 taken for what it is; `null` if it is none. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const trimmed = text.trim();
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed)?.[1] ??
    /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
  // "1" would be an address in the old notation.
  if (!/[.:]/.test(bare) || !ipaddr.isValid(bare)) return null;
  return ipaddr.process(bare);
}
