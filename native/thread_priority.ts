/** What `setpriority(2)` looks like to FFI. */
const SYMBOLS = {
  // int setpriority(int which, id_t who, int prio)
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** On Linux `PRIO_PROCESS` with 0 is the calling thread alone (setpriority(2), "C library/kernel differences"). */
const PRIO_PROCESS = 0;

/**
 * Lets the other threads of this machine go before the calling one, for work that nobody waits for. Where that cannot
 * be done nothing happens.
 *
 * @param nice From 0, as before, to 19, last of all
 *
 * @example
 * ```ts ignore
 * import { lowerThreadPriority } from "./thread_priority.ts";
 *
 * lowerThreadPriority(10);
 * ```
 */
export function lowerThreadPriority(nice: number): void {
  if (Deno.build.os !== "linux") return;
  try {
    using library = openLibc();
    library.symbols.setpriority(PRIO_PROCESS, 0, nice);
  } catch {
    // Without --allow-ffi the thread keeps its priority.
  }
}

function openLibc() {
  const library = Deno.dlopen("libc.so.6", SYMBOLS);
  return { symbols: library.symbols, [Symbol.dispose]: () => library.close() };
}
