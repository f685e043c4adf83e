import { isIPv6 } from "node:net";
import { ADDRESS, ERRNO, SOCKET, SOCKET_DIAGNOSTICS as LAYOUT } from "./kernel_layout.ts";
import { check, errno, libc, openFilesMax } from "./libc.ts";

/** Bytes of one read: as many as the kernel puts together for a reader with this much room (netlink(7)). */
const READ_BYTES = 32_768;
/** Descriptors in a row that are not in use, behind which none is looked for: the lowest free one is always taken next. */
const UNUSED_MAX = 1_024;
/** Connections that are looked at; those beyond are left out. */
export const PEERS_MAX = 1_000_000;

/**
 * Who is connected to a TCP port of this system right now, as the kernel has it (sock_diag(7)): where a server does not
 * tell of its connections. It takes about 2 ms and 1 µs a connection, since the kernel looks through all of its sockets.
 *
 * @param hostname The address that the server listens on
 * @returns By address and port of the other end, as `192.0.2.1:443` and `2001:db8::1:443`
 * @throws {SystemError} If the kernel does not tell
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`
 */
export function connectedPeers(hostname: string, port: number): Set<string> {
  const { socket, close } = libc();
  const descriptor = check(
    socket(LAYOUT.AF_NETLINK, LAYOUT.SOCK_RAW | SOCKET.SOCK_CLOEXEC, LAYOUT.NETLINK_SOCK_DIAG),
    "socket of sock_diag",
  );
  try {
    const peers = new Set<string>();
    // A socket for IPv6 has connections of IPv4 as well, in its own family.
    dump(descriptor, isIPv6(hostname) ? SOCKET.AF_INET6 : SOCKET.AF_INET, port, peers);
    return peers;
  } finally {
    close(descriptor);
  }
}

/**
 * Ends connections of this process (shutdown(2)): where a server gives no means to. It looks through the descriptors of
 * the process, which takes half a microsecond each.
 *
 * @param port The local port
 * @param peers The other ends, as {@linkcode connectedPeers} writes them
 */
export function shutDownConnections(port: number, peers: ReadonlySet<string>): void {
  const { getpeername, getsockname, shutdown } = libc();
  const address = new Uint8Array(ADDRESS.sizeof_in6);
  const length = new Uint32Array(1);
  const portAt = () => address[ADDRESS.sin_port] << 8 | address[ADDRESS.sin_port + 1];
  const end = openFilesMax();
  for (let descriptor = 0, unused = 0; descriptor < end && unused < UNUSED_MAX; descriptor++) {
    length[0] = address.length;
    if (getpeername(descriptor, address, length) < 0) {
      unused = errno() === ERRNO.EBADF ? unused + 1 : 0;
      continue;
    }
    unused = 0;
    const family = address[0];
    if (family !== SOCKET.AF_INET && family !== SOCKET.AF_INET6) continue;
    const at = family === SOCKET.AF_INET ? ADDRESS.sin_addr : ADDRESS.sin6_addr;
    if (!peers.has(`${addressText(address.subarray(at), family)}:${portAt()}`)) continue;
    length[0] = address.length;
    if (getsockname(descriptor, address, length) >= 0 && portAt() === port) {
      shutdown(descriptor, SOCKET.SHUT_RDWR);
    }
  }
}

function dump(descriptor: number, family: number, port: number, peers: Set<string>): void {
  const request = new Uint8Array(LAYOUT.header_sizeof + LAYOUT.request_sizeof);
  const fields = new DataView(request.buffer);
  fields.setUint32(LAYOUT.nlmsg_len, request.length, true);
  fields.setUint16(LAYOUT.nlmsg_type, LAYOUT.SOCK_DIAG_BY_FAMILY, true);
  fields.setUint16(LAYOUT.nlmsg_flags, LAYOUT.NLM_F_REQUEST | LAYOUT.NLM_F_DUMP, true);
  const at = LAYOUT.header_sizeof;
  fields.setUint8(at + LAYOUT.sdiag_family, family);
  fields.setUint8(at + LAYOUT.sdiag_protocol, SOCKET.IPPROTO_TCP);
  fields.setUint32(
    at + LAYOUT.idiag_states,
    1 << LAYOUT.TCP_ESTABLISHED | 1 << LAYOUT.TCP_CLOSE_WAIT,
    true,
  );
  fields.setUint16(at + LAYOUT.idiag_sport, port);
  const { write, read } = libc();
  check(write(descriptor, request, BigInt(request.length)), "write to sock_diag");
  const answer = new Uint8Array(READ_BYTES);
  while (peers.size < PEERS_MAX) {
    const length = check(read(descriptor, answer, BigInt(READ_BYTES)), "read from sock_diag");
    if (take(new DataView(answer.buffer, 0, length), family, peers)) return;
  }
}

/** @returns Whether it was the last message */
function take(messages: DataView, family: number, peers: Set<string>): boolean {
  for (let at = 0; at + LAYOUT.header_sizeof <= messages.byteLength;) {
    const length = messages.getUint32(at + LAYOUT.nlmsg_len, true);
    const type = messages.getUint16(at + LAYOUT.nlmsg_type, true);
    if (type === LAYOUT.NLMSG_DONE) return true;
    if (type === LAYOUT.NLMSG_ERROR) {
      check(messages.getInt32(at + LAYOUT.header_sizeof, true), "sock_diag");
      return true;
    }
    const body = at + LAYOUT.header_sizeof;
    const address = new Uint8Array(messages.buffer, body + LAYOUT.idiag_dst, 16);
    peers.add(
      `${addressText(address, family)}:${messages.getUint16(body + LAYOUT.idiag_dport)}`,
    );
    // Messages begin at multiples of four.
    at += (length + 3) & ~3;
  }
  return false;
}

/** An address as Deno writes it: IPv4 in IPv6 with dots. */
function addressText(address: Uint8Array, family: number): string {
  if (family === SOCKET.AF_INET) return address.subarray(0, 4).join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => (address[i * 2] << 8 | address[i * 2 + 1]).toString(16),
  );
  if (groups.slice(0, 6).join() === "0,0,0,0,0,ffff") {
    return `::ffff:${address.subarray(12, 16).join(".")}`;
  }
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
