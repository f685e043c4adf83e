import type { Driver, DriverEvents } from "./driver.ts";
import { EpollDriver } from "./epoll_driver.ts";
import { ERRNO, EVENTS, IO_URING } from "./kernel_layout.ts";
import { libc, SystemError } from "./libc.ts";
import { Ring } from "./ring.ts";
import type { RingCalls } from "./ring_calls.ts";
import { mappedMemoryProblem } from "./mapped_memory.ts";

/** Operations that the driver on io_uring needs, and the version of Linux that brought each. */
const OPERATIONS = [
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
    else probeEpoll();
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
  using ring = new Ring({ submissions: 8, completions: 16, calls });
  const supported = ring.supportedOperations();
  for (const [name, version] of OPERATIONS) {
    if (!supported.has(IO_URING[name])) {
      throw new Error(`${name} is missing, which Linux ${version} brought: use a newer kernel`);
    }
  }
  ring.registerFiles(8);
  ring.registerBuffers(8, 64);
}

function probeEpoll(): void {
  const waker = libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK);
  const listener = libc().eventfd(0, EVENTS.EFD_CLOEXEC | EVENTS.EFD_NONBLOCK);
  try {
    using _driver: Driver = new EpollDriver({
      listener,
      waker,
      connectionsMax: 1,
      events: {} as DriverEvents,
    });
  } finally {
    libc().close(waker);
    libc().close(listener);
  }
}
