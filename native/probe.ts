import { AnswerSlots } from "./answer_slots.ts";
import { type Driver, type DriverEvents, type DriverOptions, LATER } from "./driver.ts";
import { EpollDriver } from "./epoll_driver.ts";
import { ERRNO, EVENTS, IO_URING, SOCKET } from "./kernel_layout.ts";
import { check, libc, SystemError } from "./libc.ts";
import { mapMemory, mappedMemoryProblem } from "./mapped_memory.ts";
import { Ring } from "./ring.ts";
import type { RingCalls } from "./ring_calls.ts";
import { openListeningSockets, socketAddress } from "./sockets.ts";
import { UringDriver } from "./uring_driver.ts";

/** Operations that the driver on io_uring needs, and the version of Linux that brought each. */
const OPERATIONS = [
  ["IORING_OP_POLL_ADD", "5.1"],
  ["IORING_OP_SENDMSG", "5.3"],
  ["IORING_OP_TIMEOUT", "5.4"],
  ["IORING_OP_ACCEPT", "5.5"],
  ["IORING_OP_ASYNC_CANCEL", "5.5"],
  ["IORING_OP_CLOSE", "5.6"],
  ["IORING_OP_READ", "5.6"],
  ["IORING_OP_SEND", "5.6"],
  ["IORING_OP_RECV", "5.6"],
  ["IORING_OP_SHUTDOWN", "5.11"],
] as const;

/**
 * Whether a transport works here, found out by using it.
 *
 * @param calls By what io_uring's system calls are made; whatever there is unless said otherwise
 * @returns `null` when it works, else why not and what to do, in one line
 *
 * @example
 * ```ts
 * import { transportProblem } from "./probe.ts";
 *
 * console.log(transportProblem("uring") ?? "io_uring works");
 * ```
 */
export function transportProblem(
  transport: "uring" | "epoll",
  calls?: RingCalls,
): string | null {
  const name = transport === "uring" ? "io_uring" : "epoll";
  const { os } = Deno.build;
  if (os !== "linux") return `${name}: this is ${os}, and it is Linux that has it`;
  const { state } = Deno.permissions.querySync({ name: "ffi" });
  if (state !== "granted") return `${name}: no permission for FFI: run with --allow-ffi`;
  const memory = mappedMemoryProblem();
  if (memory !== null) return `${name}: memory cannot be mapped: ${memory}`;
  try {
    if (transport === "uring") probeUring(calls);
    else roundTrip((options) => new EpollDriver(options));
    return null;
  } catch (error) {
    return `${name}: ${explain(error as Error)}`;
  }
}

/** Says what may be behind an error of io_uring_setup(2), which says little itself. */
function explain(error: Error): string {
  if (!(error instanceof SystemError)) return error.message;
  if (error.code === ERRNO.ENOSYS) {
    return "this kernel has none: Linux 6.1 or later has all that is needed";
  }
  if (error.code === ERRNO.EPERM && error.message.startsWith("io_uring_setup")) {
    return isForbiddenBySysctl()
      ? "forbidden by the system: sysctl kernel.io_uring_disabled=0 allows it"
      : "forbidden, as container runtimes do by default: allow io_uring_setup, io_uring_enter and " +
        "io_uring_register in the seccomp profile";
  }
  return error.message;
}

function isForbiddenBySysctl(): boolean {
  try {
    return Deno.readTextFileSync("/proc/sys/kernel/io_uring_disabled").trim() !== "0";
  } catch {
    return false;
  }
}

function probeUring(calls?: RingCalls): void {
  const probed = new Ring({ submissions: 8, completions: 16, calls });
  try {
    const supported = probed.supportedOperations();
    for (const [name, version] of OPERATIONS) {
      if (!supported.has(IO_URING[name])) {
        throw new Error(`${name} is missing, which Linux ${version} brought: use a newer kernel`);
      }
    }
  } finally {
    probed.free();
  }
  roundTrip((options) => new UringDriver({ ...options, calls }));
}

const TURNS_MAX = 1_000;
const SENTINEL = "sentinel: 8f1c6b2e";

/**
 * Has a driver accept a connection, receive, send from one place and from two, be woken, tick and close, and compares
 * the bytes: every structure that the kernel reads or writes takes part, so that a layout that is wrong shows before
 * anybody is served with it.
 */
function roundTrip(makeDriver: (options: DriverOptions) => Driver): void {
  const [socket] = openListeningSockets("127.0.0.1", 0, 1);
  const waker = check(libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK), "eventfd");
  const client = check(libc().socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0), "socket");
  const happened = new Set<string>();
  let received = "", isAllowed = true, turns = 0;
  const events: DriverEvents = {
    begun: () => turns++,
    connectionsAllowed: () => isAllowed ? 1 : 0,
    opened(connection) {
      isAllowed = false;
      happened.add("opened");
      driver.receive(connection);
    },
    received(connection, bytes, from, to) {
      received += new TextDecoder().decode(bytes.slice(from, to));
      if (received.length === SENTINEL.length) sendBack(connection);
    },
    sent(connection) {
      happened.add("sent");
      driver.close(connection);
    },
    ended: () => happened.add("ended"),
    identified: () => happened.add("identified"),
    hungUp: () => happened.add("hung up"),
    closed: () => happened.add("closed"),
    woken: () => happened.add("woken"),
    exhausted(code) {
      throw new SystemError("accept", code);
    },
  };
  const driver = makeDriver({
    listener: socket.descriptor,
    waker,
    connectionsMax: 1,
    tickMs: 1,
    events,
  });
  const slots = new AnswerSlots(1);
  const sendBack = (connection: number) => {
    slots.open();
    slots.writeText(received);
    const here = mapMemory(SENTINEL.length);
    new TextEncoder().encodeInto(SENTINEL, here.bytes);
    slots.addMemory(here.address, SENTINEL.length);
    const slot = slots.finish();
    const sent = driver.send(connection, slots.message(slot), 0, slots.byteLength);
    if (sent !== LATER) events.sent(connection, sent);
  };
  const turnUntil = (what: string) => {
    for (let turn = 0; !happened.has(what); turn++) {
      if (turn === TURNS_MAX) throw new Error(`a trial connection was never ${what}`);
      driver.turn();
    }
  };
  try {
    driver.accept();
    const address = socketAddress("127.0.0.1", socket.port);
    check(libc().connect(client, address, address.length), "connect");
    turnUntil("opened");
    check(
      libc().write(client, new TextEncoder().encode(SENTINEL), BigInt(SENTINEL.length)),
      "write",
    );
    turnUntil("sent");
    turnUntil("closed");
    const answer = new Uint8Array(2 * SENTINEL.length + 1);
    const length = check(libc().read(client, answer, BigInt(answer.length)), "read");
    const text = new TextDecoder().decode(answer.subarray(0, length));
    if (text !== SENTINEL + SENTINEL) {
      throw new Error(`a trial answer came as ${JSON.stringify(text)}`);
    }
    libc().write(waker, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
    turnUntil("woken");
    // Nothing happens any more but ticks.
    for (const before = turns; turns < before + 2;) driver.turn();
  } finally {
    driver[Symbol.dispose]();
    slots.free();
    for (const descriptor of [client, waker, socket.descriptor]) libc().close(descriptor);
  }
}
