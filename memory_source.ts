import { type MemoryHandle, type MemorySource, sharedMemorySource } from "./catalogue/memory.ts";
import { mapMemory, MappedMemory, mappedMemoryProblem } from "./native/mapped_memory.ts";

/** Where the catalogue's memory comes from on this host. */
export interface ChosenMemory {
  source: MemorySource;
  /** Why memory cannot be mapped here; `null` when it is. */
  problem: string | null;
}

const mappedMemorySource: MemorySource = {
  allocate: mapMemory,
  open: (handle: MemoryHandle) => {
    if (handle instanceof SharedArrayBuffer) throw new TypeError("this memory was not mapped");
    return new MappedMemory(handle);
  },
};

/** Mapped memory, which has addresses and goes back to the system at once, where there is FFI; shared buffers elsewhere. */
export function chooseMemory(): ChosenMemory {
  const problem = mappedMemoryProblem();
  return { source: problem === null ? mappedMemorySource : sharedMemorySource, problem };
}
