import { EVENTS } from "./kernel_layout.ts";

/** The calls of libc that listeners make, with their prototypes. A `ssize_t` fits 32 bits in all uses here. */
const SYMBOLS = {
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  // int bind(int fd, const struct sockaddr *address, socklen_t length)
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int listen(int fd, int backlog)
  listen: { parameters: ["i32", "i32"], result: "i32" },
  // int getsockname(int fd, struct sockaddr *address, socklen_t *length)
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  // int getpeername(int fd, struct sockaddr *address, socklen_t *length)
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  // int connect(int fd, const struct sockaddr *address, socklen_t length)
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  // ssize_t recv(int fd, void *buffer, size_t length, int flags)
  recv: { parameters: ["i32", "pointer", "usize", "i32"], result: "i32" },
  // ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
  sendmsg: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  // int shutdown(int fd, int how)
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t read(int fd, void *buffer, size_t length)
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  // ssize_t write(int fd, const void *buffer, size_t length)
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  // int eventfd(unsigned int initial, int flags)
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  // int epoll_create1(int flags)
  epoll_create1: { parameters: ["i32"], result: "i32" },
  // int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  // int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
  epoll_wait: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *addr, size_t length)
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // int madvise(void *addr, size_t length, int advice)
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int getrlimit(int resource, struct rlimit *limit)
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  // int getrusage(int who, struct rusage *usage)
  getrusage: { parameters: ["i32", "buffer"], result: "i32" },
  // int clock_gettime(clockid_t clock, struct timespec *time)
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
  // char *strerror(int errnum)
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** libc's functions by name. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let opened: Deno.DynamicLibrary<typeof SYMBOLS> | null = null;
let errnoWord: Int32Array | null = null;

/**
 * Opens libc, once a thread.
 *
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`
 */
export function libc(): Libc {
  opened ??= Deno.dlopen("libc.so.6", SYMBOLS);
  return opened.symbols;
}

/**
 * The error number of this thread's last call that failed. A garbage collection between call and question may change
 * it; ask at once.
 */
export function errno(): number {
  // The location is a thread's own and does not move, so one view of it serves for good.
  errnoWord ??= new Int32Array(
    Deno.UnsafePointerView.getArrayBuffer(libc().__errno_location()!, 4),
  );
  return errnoWord[0];
}

/** What an error number means, in the system's words. */
export function errorText(number: number): string {
  const text = Deno.UnsafePointerView.getCString(libc().strerror(number)!);
  return `${text} (errno ${number})`;
}

/** A call of the system that failed. */
export class SystemError extends Error {
  override name = "SystemError";
  /** The error number, errno(3). */
  readonly code: number;

  /** @param call What was called, and on what */
  constructor(call: string, code: number) {
    super(`${call}: ${errorText(code)}`);
    this.code = code;
  }
}

/** Throws when a call gave -1. */
export function check(result: number, call: string): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** How many files this process may have open (RLIMIT_NOFILE, getrlimit(2)). */
export function openFilesMax(): number {
  const RLIMIT_NOFILE = 7;
  const limit = new BigUint64Array(2);
  check(libc().getrlimit(RLIMIT_NOFILE, new Uint8Array(limit.buffer)), "getrlimit");
  return Number(limit[0]);
}

/** Gives the pages of a range back to the system; they read as zeros from then on (madvise(2)). */
export function forgetPages(address: number, byteLength: number): void {
  if (byteLength <= 0) return;
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  libc().madvise(pointer, BigInt(byteLength), EVENTS.MADV_DONTNEED);
}
