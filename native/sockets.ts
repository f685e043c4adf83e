import { isIPv6 } from "node:net";
import { ADDRESS, SOCKET } from "./kernel_layout.ts";
import { check, errno, errorText, libc } from "./libc.ts";
import { BACKLOG } from "./limits.ts";

const ONE = new Int32Array([1]);

/** A socket that listens. */
export interface ListeningSocket {
  readonly descriptor: number;
  readonly port: number;
}

/**
 * Opens listening sockets that share one port (SO_REUSEPORT, socket(7)): the kernel spreads new connections over them.
 * The caller closes them.
 *
 * @param hostname An IPv4 or IPv6 address; `localhost` is 127.0.0.1
 * @param port 0 for a free one
 * @throws {Deno.errors.AddrInUse} If the port is taken
 * @throws {SystemError} If it cannot be had for another reason
 */
export function openListeningSockets(
  hostname: string,
  port: number,
  count: number,
): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  try {
    // The first without SO_REUSEPORT would find out whether the port is another process's, but the second could not join.
    refuseTakenPort(hostname, port);
    for (let i = 0; i < count; i++) {
      sockets.push(openListeningSocket(hostname, sockets[0]?.port ?? port));
    }
  } catch (error) {
    for (const { descriptor } of sockets) libc().close(descriptor);
    throw error;
  }
  return sockets;
}

/** With SO_REUSEPORT a second service of the same user would share the port without a word. */
function refuseTakenPort(hostname: string, port: number): void {
  if (port === 0) return;
  const address = socketAddress(hostname, port);
  const descriptor = openSocket(hostname);
  try {
    libc().setsockopt(descriptor, SOCKET.SOL_SOCKET, SOCKET.SO_REUSEADDR, ONE, 4);
    bind(descriptor, address, hostname, port);
    // Only listening collides with one who listens with SO_REUSEADDR.
    if (libc().listen(descriptor, 1) < 0) throw portTaken(hostname, port);
  } finally {
    libc().close(descriptor);
  }
}

/** Opens one more socket that listens on a port of this process, as {@linkcode openListeningSockets} does. */
export function openListeningSocket(hostname: string, port: number): ListeningSocket {
  const descriptor = openSocket(hostname);
  try {
    for (const name of [SOCKET.SO_REUSEADDR, SOCKET.SO_REUSEPORT]) {
      check(libc().setsockopt(descriptor, SOCKET.SOL_SOCKET, name, ONE, 4), "setsockopt");
    }
    // Accepted sockets inherit it. Answers are sent whole, so there is nothing to wait for.
    check(
      libc().setsockopt(descriptor, SOCKET.IPPROTO_TCP, SOCKET.TCP_NODELAY, ONE, 4),
      "setsockopt",
    );
    bind(descriptor, socketAddress(hostname, port), hostname, port);
    check(libc().listen(descriptor, BACKLOG), `listen on ${hostname}:${port}`);
    return { descriptor, port: portOf(descriptor) };
  } catch (error) {
    libc().close(descriptor);
    throw error;
  }
}

function openSocket(hostname: string): number {
  const family = isIPv6(hostname) ? SOCKET.AF_INET6 : SOCKET.AF_INET;
  const type = SOCKET.SOCK_STREAM | SOCKET.SOCK_NONBLOCK | SOCKET.SOCK_CLOEXEC;
  return check(libc().socket(family, type, 0), "socket");
}

function bind(
  descriptor: number,
  address: Uint8Array<ArrayBuffer>,
  hostname: string,
  port: number,
): void {
  if (libc().bind(descriptor, address, address.length) >= 0) return;
  const code = errno();
  const EADDRINUSE = 98;
  if (code === EADDRINUSE) throw portTaken(hostname, port);
  throw new Error(`cannot listen on ${hostname}:${port}: ${errorText(code)}`);
}

function portTaken(hostname: string, port: number): Error {
  return new Deno.errors.AddrInUse(
    `cannot listen on ${hostname}:${port}: the port is in use: stop who has it, or choose another`,
  );
}

/** Bytes of the addresses of a socket's family. */
export function addressLength(descriptor: number): number {
  const address = new Uint8Array(ADDRESS.sizeof_in6);
  const length = new Uint32Array([address.length]);
  check(libc().getsockname(descriptor, address, length), "getsockname");
  return length[0];
}

/** An address of the system as people write it. */
export function readAddress(address: Uint8Array): { hostname: string; port: number } {
  const port = address[ADDRESS.sin_port] << 8 | address[ADDRESS.sin_port + 1];
  if (address[0] === SOCKET.AF_INET) {
    return { hostname: address.subarray(ADDRESS.sin_addr, ADDRESS.sin_addr + 4).join("."), port };
  }
  const groups: string[] = [];
  for (let at = ADDRESS.sin6_addr; at < ADDRESS.sin6_addr + 16; at += 2) {
    groups.push((address[at] << 8 | address[at + 1]).toString(16));
  }
  // The URL parser shortens it as usual.
  return { hostname: new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1), port };
}

function portOf(descriptor: number): number {
  const address = new Uint8Array(ADDRESS.sizeof_in6);
  const length = new Uint32Array([address.length]);
  check(libc().getsockname(descriptor, address, length), "getsockname");
  return address[ADDRESS.sin_port] << 8 | address[ADDRESS.sin_port + 1];
}

/**
 * An address as system calls take it, `struct sockaddr_in` or `struct sockaddr_in6`.
 *
 * @throws {TypeError} If the host is neither an address nor `localhost`
 */
export function socketAddress(hostname: string, port: number): Uint8Array<ArrayBuffer> {
  const v6 = isIPv6(hostname);
  const address = new Uint8Array(v6 ? ADDRESS.sizeof_in6 : ADDRESS.sizeof_in);
  address[0] = v6 ? SOCKET.AF_INET6 : SOCKET.AF_INET;
  address[ADDRESS.sin_port] = port >> 8;
  address[ADDRESS.sin_port + 1] = port & 0xff;
  if (v6) {
    address.set(addressBytes(hostname), ADDRESS.sin6_addr);
    return address;
  }
  const text = hostname === "localhost" ? "127.0.0.1" : hostname;
  const parts = text.split(".").map(Number);
  if (parts.length !== 4 || !parts.every((part) => part >= 0 && part <= 255)) {
    throw new TypeError(`hostname: ${JSON.stringify(hostname)} is no IP address`);
  }
  address.set(parts, ADDRESS.sin_addr);
  return address;
}

/** The 16 bytes of an IPv6 address. */
function addressBytes(text: string): Uint8Array {
  // The URL parser writes it without a dotted end and in its shortest form.
  const normal = new URL(`http://[${text.split("%")[0]}]`).hostname.slice(1, -1);
  const [left, right] = normal.split("::").map((part) => part === "" ? [] : part.split(":"));
  const groups = right === undefined
    ? left
    : [...left, ...Array(8 - left.length - right.length).fill("0"), ...right];
  return new Uint8Array(groups.flatMap((group) => {
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  }));
}
