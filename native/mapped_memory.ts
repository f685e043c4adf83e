/** What `mmap(2)` and `munmap(2)` look like to FFI. */
const SYMBOLS = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
  mmap: {
    parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
  },
  // int munmap(void *addr, size_t length)
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

// asm-generic/mman-common.h
const PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20;
/** `MAP_FAILED`, `(void *) -1`. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const NO_BYTES = new Uint8Array(0);

/** Names a mapping in any thread of this process. */
export interface MappedMemoryHandle {
  readonly address: number;
  readonly byteLength: number;
}

/**
 * Anonymous memory mapped with `mmap(2)`: its address is known, so the kernel can be told to read or write it, every
 * thread of the process sees the same bytes, and it goes back to the system when it is freed rather than when the
 * garbage collector gets to it.
 */
export class MappedMemory implements Disposable {
  /** Its bytes. {@linkcode MappedMemory.free} detaches them: a view kept too long is empty, it does not crash. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where it begins. User space ends below 2^47, so a number holds it. */
  readonly address: number;
  /** What another thread opens it with. */
  readonly handle: MappedMemoryHandle;

  constructor(handle: MappedMemoryHandle) {
    this.handle = handle;
    this.address = handle.address;
    const pointer = Deno.UnsafePointer.create(BigInt(handle.address))!;
    this.bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, handle.byteLength));
  }

  /**
   * Unmaps it, for all threads: nobody may use it any more, and other threads' views of it must be gone. A second call
   * does nothing.
   */
  free(): void {
    const { buffer, byteLength } = this.bytes;
    if (byteLength === 0) return;
    this.bytes = NO_BYTES;
    // Detaches the buffer and with it every view that somebody still holds.
    structuredClone(buffer, { transfer: [buffer] });
    library().munmap(Deno.UnsafePointer.create(BigInt(this.address)), BigInt(byteLength));
  }

  /** Frees it. */
  [Symbol.dispose](): void {
    this.free();
  }
}

let opened: Deno.DynamicLibrary<typeof SYMBOLS> | null = null;

function library(): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
  opened ??= Deno.dlopen("libc.so.6", SYMBOLS);
  return opened.symbols;
}

/**
 * Maps zeroed memory. Pages are taken from the system when they are first written.
 *
 * @param byteLength At least 1
 * @throws {RangeError} If the system has no room for it
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`
 *
 * @example
 * ```ts
 * import { mapMemory } from "./mapped_memory.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = mapMemory(4_096);
 * memory.bytes[0] = 7;
 * assertEquals(memory.bytes.length, 4_096);
 * ```
 */
export function mapMemory(byteLength: number): MappedMemory {
  const pointer = library().mmap(
    null,
    BigInt(byteLength),
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS,
    -1,
    0n,
  );
  const address = Deno.UnsafePointer.value(pointer);
  if (address === 0n || address === MAP_FAILED) {
    throw new RangeError(
      `mmap: the system has no ${byteLength} bytes to map (see ulimit -v, vm.max_map_count)`,
    );
  }
  return new MappedMemory({ address: Number(address), byteLength });
}

/**
 * Whether memory can be mapped here, found out by doing it.
 *
 * @returns `null` when it can, or why not
 */
export function mappedMemoryProblem(): string | null {
  if (Deno.build.os !== "linux") return `${Deno.build.os} is not Linux`;
  try {
    using memory = mapMemory(4_096);
    memory.bytes[0] = 1;
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
