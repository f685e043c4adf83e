import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  ClientAddresses,
  parseAddressRange,
  TRUSTED_PROXY,
  UNKNOWN_CLIENT,
} from "./client_address.ts";

const trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"].map(parseAddressRange);
const clients = new ClientAddresses(trusted, 12_345);

Deno.test("an IPv4 address is a client, however it is written", () => {
  const client = clients.identify("203.0.113.7");
  for (const same of ["::ffff:203.0.113.7", "::ffff:cb00:7107", "203.0.113.7:443"]) {
    assertEquals(clients.identify(same), client, same);
  }
  assertNotEquals(clients.identify("203.0.113.8"), client);
});

Deno.test("an IPv6 address counts by its first 64 bits", () => {
  const client = clients.identify("2001:db8:0:1::1");
  assertEquals(clients.identify("2001:db8:0:1:ffff::2"), client);
  assertEquals(clients.identify("[2001:db8:0:1::9]:443"), client);
  assertNotEquals(clients.identify("2001:db8:0:2::1"), client);
});

Deno.test("no two of 60,000 addresses have one number, and the secret changes all", () => {
  const numbers = new Set<number>();
  for (let n = 0; n < 60_000; n++) numbers.add(clients.identify(`198.51.${n >> 8}.${n & 255}`));
  assertEquals(numbers.size, 60_000);
  const others = new ClientAddresses(trusted, 54_321);
  assertNotEquals(others.identify("198.51.1.1"), clients.identify("198.51.1.1"));
});

Deno.test("trusted proxies are known as such, by range and by address", () => {
  for (const proxy of ["10.1.2.3", "fd00::1", "192.0.2.1", "::ffff:10.0.0.1"]) {
    assertEquals(clients.identify(proxy), TRUSTED_PROXY, proxy);
  }
  assertNotEquals(clients.identify("192.0.2.2"), TRUSTED_PROXY);
});

Deno.test("behind trusted proxies the client is the last address that none of them has", () => {
  const client = clients.identify("203.0.113.7");
  for (
    const forwarded of [
      "203.0.113.7",
      " 203.0.113.7 , 10.0.0.9",
      // What stands before may be made up.
      "1.1.1.1, 203.0.113.7, 10.0.0.9, fd00::5",
      "garbage, 203.0.113.7:5123",
    ]
  ) assertEquals(clients.identifyForwarded(forwarded), client, forwarded);
});

Deno.test("what is no address hides what stands before it", () => {
  assertEquals(clients.identifyForwarded("203.0.113.7, unknown"), UNKNOWN_CLIENT);
  assertEquals(clients.identifyForwarded("203.0.113.7, 1"), UNKNOWN_CLIENT);
  assertEquals(clients.identifyForwarded(""), UNKNOWN_CLIENT);
  assertEquals(clients.identify(""), UNKNOWN_CLIENT);
  const proxies = Array(5_000).fill("10.0.0.1").join(",");
  assertEquals(typeof clients.identifyForwarded(`203.0.113.7,${proxies}`), "number");
});

Deno.test("a range that is none is an error that names it", () => {
  for (const text of ["10.0.0.0/33", "host", "1", "", "10.0.0.0/", "::1/129"]) {
    assertThrows(() => parseAddressRange(text), Error, JSON.stringify(text));
  }
});
