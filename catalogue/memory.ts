/** Gives the memory of bytes back at once; the garbage collector does not hurry with what lies outside its heap. */
export function giveBack(bytes: Uint8Array<ArrayBuffer>): void {
  bytes.buffer.transfer(0);
}

/** A piece of memory outside the JavaScript heap that threads may share. Whoever allocated or opened it frees it. */
export interface Memory {
  /** Its bytes; empty after {@linkcode Memory.free}, so that a view that is used too late finds nothing. */
  readonly bytes: Uint8Array;
  /** Where it begins, for a system call; `null` where the host does not tell. */
  readonly address: number | null;
  /** What another thread opens it with; survives `postMessage`. */
  readonly handle: MemoryHandle;
  /** Gives it back to the system. The handle is void in every thread from then on. */
  free(): void;
}

/** Names a piece of memory across threads: its address and length, or the buffer itself. */
export type MemoryHandle =
  | { readonly address: number; readonly byteLength: number }
  | SharedArrayBuffer;

/** Where memory comes from. */
export interface MemorySource {
  /**
   * Takes zeroed memory from the system.
   *
   * @throws {RangeError} If there is none
   */
  allocate(byteLength: number): Memory;
  /** Opens memory that another thread allocated. */
  open(handle: MemoryHandle): Memory;
}

const NO_BYTES = new Uint8Array(0);
const decoder = new TextDecoder();

/** The text that bytes of some memory encode in UTF-8. */
export function textOf(bytes: Uint8Array): string {
  // Decoders refuse views on a SharedArrayBuffer.
  return decoder.decode(bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice());
}

class SharedMemory implements Memory {
  bytes: Uint8Array;
  readonly address = null;
  readonly handle: SharedArrayBuffer;

  constructor(buffer: SharedArrayBuffer) {
    this.handle = buffer;
    this.bytes = new Uint8Array(buffer);
  }

  free(): void {
    this.bytes = NO_BYTES;
  }
}

/**
 * Memory in SharedArrayBuffers, for hosts without FFI: it has no address, and comes back when the garbage collector
 * sees that nobody holds it.
 *
 * @example
 * ```ts
 * import { sharedMemorySource } from "./memory.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const memory = sharedMemorySource.allocate(16);
 * sharedMemorySource.open(memory.handle).bytes[3] = 7;
 * assertEquals(memory.bytes[3], 7);
 * ```
 */
export const sharedMemorySource: MemorySource = {
  allocate: (byteLength) => new SharedMemory(new SharedArrayBuffer(byteLength)),
  open: (handle) => new SharedMemory(handle as SharedArrayBuffer),
};
