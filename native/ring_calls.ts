import { SYSTEM_CALL } from "./kernel_layout.ts";
import { errno } from "./libc.ts";

/** The three system calls of io_uring. Each returns what the kernel does: a negative error number when it fails. */
export interface RingCalls {
  /** io_uring_setup(2) */
  setup(entries: number, params: Uint8Array<ArrayBuffer>): number;
  /** io_uring_enter(2), without a signal mask */
  enter(descriptor: number, submissions: number, completions: number, flags: number): number;
  /** io_uring_register(2) */
  register(
    descriptor: number,
    operation: number,
    argument: Uint8Array<ArrayBuffer>,
    count: number,
  ): number;
}

const LIBURING = {
  // int io_uring_setup(unsigned int entries, struct io_uring_params *params)
  io_uring_setup: { parameters: ["u32", "buffer"], result: "i32" },
  // int io_uring_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, sigset_t *sig)
  io_uring_enter: { parameters: ["u32", "u32", "u32", "u32", "pointer"], result: "i32" },
  // int io_uring_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr_args)
  io_uring_register: { parameters: ["u32", "u32", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

// long syscall(long number, ...), once for each shape of arguments
const LIBC = {
  setup: { name: "syscall", parameters: ["i64", "u32", "buffer"], result: "i32" },
  enter: {
    name: "syscall",
    parameters: ["i32", "u32", "u32", "u32", "u32", "pointer"],
    result: "i32",
  },
  register: { name: "syscall", parameters: ["i64", "u32", "u32", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * The calls by liburing, where a version of it that exports them (2.3 or later) is installed, else by libc's
 * `syscall(2)`, which is always there. Both cost the same; the rings themselves are mapped and read here, from the
 * kernel's own layout, so that no structure of any version of liburing matters.
 *
 * @param library "any" for whichever there is
 * @throws {Error} If what was asked for is not there
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`
 */
export function openRingCalls(library: "any" | "liburing" | "libc" = "any"): RingCalls {
  if (library === "libc") return libcCalls();
  try {
    return liburingCalls();
  } catch (error) {
    if (library === "liburing" || error instanceof Deno.errors.NotCapable) throw error;
    return libcCalls();
  }
}

function liburingCalls(): RingCalls {
  const { symbols } = Deno.dlopen("liburing.so.2", LIBURING);
  const { io_uring_enter } = symbols;
  return {
    setup: symbols.io_uring_setup,
    enter: (descriptor, submissions, completions, flags) =>
      io_uring_enter(descriptor, submissions, completions, flags, null),
    register: symbols.io_uring_register,
  };
}

function libcCalls(): RingCalls {
  const { symbols: { setup, enter, register } } = Deno.dlopen("libc.so.6", LIBC);
  const { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register } = SYSTEM_CALL;
  const negative = (result: number) => result < 0 ? -errno() : result;
  return {
    setup: (entries, params) => negative(setup(BigInt(SYS_io_uring_setup), entries, params)),
    enter: (descriptor, submissions, completions, flags) =>
      negative(enter(SYS_io_uring_enter, descriptor, submissions, completions, flags, null)),
    register: (descriptor, operation, argument, count) =>
      negative(register(BigInt(SYS_io_uring_register), descriptor, operation, argument, count)),
  };
}
