import {
  BUFFER,
  BUFFER_REGISTRATION,
  CQ_OFFSETS,
  CQE,
  ERRNO,
  EVENTS,
  FILES_REGISTRATION,
  GET_SOCKET_OPTION,
  IO_URING,
  PARAMS,
  PROBE,
  RING_UPDATE,
  SOCKET,
  SQ_OFFSETS,
  SQE,
} from "./kernel_layout.ts";
import { libc, SystemError } from "./libc.ts";
import { mapMemory, type MappedMemory } from "./mapped_memory.ts";
import { openRingCalls, type RingCalls } from "./ring_calls.ts";

const TWO_32 = 2 ** 32;
// Where the fields of a submission lie, in words.
const ENTRY = SQE.sizeof / 4, FD = SQE.fd / 4, OFF = SQE.off / 4, ADDR = SQE.addr / 4;
const LEN = SQE.len / 4, FLAGS = SQE.msg_flags / 4, DATA = SQE.user_data / 4;
const BUF_GROUP = SQE.buf_group / 4, FILE_INDEX = SQE.file_index / 4, ADDR3 = SQE.addr3 / 4;
/** Times that a full submission queue is offered to the kernel before the ring is given up. */
const SUBMIT_TRIES_MAX = 1_000;

/** How a ring is made. */
export interface RingOptions {
  /** Entries of the submission queue, a power of two. */
  submissions: number;
  /** Entries of the completion queue, a power of two. */
  completions: number;
  calls?: RingCalls;
}

/**
 * An io_uring of one thread: the submission and completion queues as typed arrays on the kernel's own memory, so that
 * an operation is a few stores and {@linkcode Ring.enter} the only call (io_uring(7)).
 *
 * ```
 *  submissions[tail & mask]  ── enter ──▶  kernel  ──▶  completions[head & mask]
 *  16 words an entry                                    4 words an entry
 * ```
 *
 * What an operation points to (a message, its vectors, buffers) belongs to the kernel until its completion is taken.
 */
export class Ring implements Disposable {
  /** Completions: of each 4 words, two of user data, the result, and flags. */
  readonly completions: Int32Array;
  /** What a completion's place is masked with. */
  readonly completionMask: number;
  readonly descriptor: number;
  /** The first completion that was not taken, as the kernel counts them, before masking. */
  head = 0;

  readonly #calls: RingCalls;
  readonly #submissions: Uint32Array;
  readonly #submissionMask: number;
  readonly #submissionTail: Uint32Array;
  readonly #submissionFlags: Uint32Array;
  readonly #completionHead: Uint32Array;
  readonly #completionTail: Uint32Array;
  readonly #enterDescriptor: number;
  readonly #enterFlags: number;
  readonly #mappings: { address: bigint; byteLength: number }[] = [];
  #tail = 0;
  #submitted = 0;
  #buffers: BufferRing | null = null;

  /** @throws {SystemError} If the kernel refuses */
  constructor({ submissions, completions, calls = openRingCalls() }: RingOptions) {
    this.#calls = calls;
    const params = new Uint8Array(PARAMS.sizeof);
    const fields = new DataView(params.buffer);
    fields.setUint32(
      PARAMS.flags,
      IO_URING.IORING_SETUP_CQSIZE | IO_URING.IORING_SETUP_CLAMP |
        IO_URING.IORING_SETUP_SUBMIT_ALL | IO_URING.IORING_SETUP_SINGLE_ISSUER |
        IO_URING.IORING_SETUP_DEFER_TASKRUN | IO_URING.IORING_SETUP_TASKRUN_FLAG,
      true,
    );
    fields.setUint32(PARAMS.cq_entries, completions, true);
    this.descriptor = orThrow(calls.setup(submissions, params), "io_uring_setup");
    try {
      const features = fields.getUint32(PARAMS.features, true);
      const needed = IO_URING.IORING_FEAT_SINGLE_MMAP | IO_URING.IORING_FEAT_NODROP |
        IO_URING.IORING_FEAT_SUBMIT_STABLE;
      if ((features & needed) !== needed) {
        throw new SystemError("io_uring without the features it has since Linux 5.5", ERRNO.ENOSYS);
      }
      const sq = (offset: number) => fields.getUint32(PARAMS.sq_off + offset, true);
      const cq = (offset: number) => fields.getUint32(PARAMS.cq_off + offset, true);
      const sqEntries = fields.getUint32(PARAMS.sq_entries, true);
      const cqEntries = fields.getUint32(PARAMS.cq_entries, true);
      const ringBytes = Math.max(
        sq(SQ_OFFSETS.array) + sqEntries * 4,
        cq(CQ_OFFSETS.cqes) + cqEntries * CQE.sizeof,
      );
      const ring = this.#map(ringBytes, IO_URING.IORING_OFF_SQ_RING);
      const entries = this.#map(sqEntries * SQE.sizeof, IO_URING.IORING_OFF_SQES);
      this.#submissions = new Uint32Array(entries);
      this.#submissionMask = sqEntries - 1;
      this.#submissionTail = new Uint32Array(ring, sq(SQ_OFFSETS.tail), 1);
      this.#submissionFlags = new Uint32Array(ring, sq(SQ_OFFSETS.flags), 1);
      this.#completionHead = new Uint32Array(ring, cq(CQ_OFFSETS.head), 1);
      this.#completionTail = new Uint32Array(ring, cq(CQ_OFFSETS.tail), 1);
      this.completions = new Int32Array(ring, cq(CQ_OFFSETS.cqes), cqEntries * 4);
      this.completionMask = cqEntries - 1;
      // The queue's array of indices is a leftover of its design: entry i is always entry i.
      const array = new Uint32Array(ring, sq(SQ_OFFSETS.array), sqEntries);
      for (let i = 0; i < sqEntries; i++) array[i] = i;
      const registered = this.#registerSelf();
      this.#enterDescriptor = registered ?? this.descriptor;
      this.#enterFlags = IO_URING.IORING_ENTER_GETEVENTS |
        (registered === null ? 0 : IO_URING.IORING_ENTER_REGISTERED_RING);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  /**
   * Queues an operation. When the queue is full, what is in it is submitted first. Words are those of
   * `struct io_uring_sqe`.
   *
   * @param head Operation in bits 0 to 7, flags in 8 to 15, I/O priority in 16 to 31
   * @param address Of what it reads or writes
   * @param data What its completion carries, low word
   * @param data2 The high word
   */
  push(
    head: number,
    descriptor: number,
    address: number,
    length: number,
    flags: number,
    data: number,
    data2: number,
    bufferGroup = 0,
    fileIndex = 0,
  ): void {
    if (((this.#tail - this.#submitted) >>> 0) > this.#submissionMask) this.#makeRoom();
    const words = this.#submissions;
    const at = (this.#tail & this.#submissionMask) * ENTRY;
    words[at] = head;
    words[at + FD] = descriptor;
    words[at + OFF] = 0;
    words[at + OFF + 1] = 0;
    words[at + ADDR] = address;
    words[at + ADDR + 1] = address / TWO_32;
    words[at + LEN] = length;
    words[at + FLAGS] = flags;
    words[at + DATA] = data;
    words[at + DATA + 1] = data2;
    words[at + BUF_GROUP] = bufferGroup;
    words[at + FILE_INDEX] = fileIndex;
    words[at + ADDR3] = 0;
    words[at + ADDR3 + 1] = 0;
    this.#tail = (this.#tail + 1) >>> 0;
  }

  /**
   * Queues `IORING_OP_CONNECT` of an ordinary descriptor (connect(2)).
   *
   * @param address Of the socket address, which is read when the operation is submitted
   */
  pushConnect(
    head: number,
    descriptor: number,
    address: number,
    addressLength: number,
    data: number,
    data2: number,
  ): void {
    this.push(head, descriptor, address, 0, 0, data, data2);
    this.#submissions[((this.#tail - 1) & this.#submissionMask) * ENTRY + OFF] = addressLength;
  }

  /**
   * Queues `SOCKET_URING_OP_GETSOCKOPT` at the level of the socket (Linux 6.7): the completion's result is the length of
   * what was written, or a negative error number.
   */
  pushSocketOption(
    head: number,
    descriptor: number,
    name: number,
    address: number,
    length: number,
    data: number,
    data2: number,
  ): void {
    this.push(head, descriptor, SOCKET.SOL_SOCKET + name * TWO_32, 0, 0, data, data2, 0, length);
    const at = ((this.#tail - 1) & this.#submissionMask) * ENTRY;
    this.#submissions[at + OFF] = GET_SOCKET_OPTION.cmd_op;
    this.#submissions[at + ADDR3] = address;
    this.#submissions[at + ADDR3 + 1] = address / TWO_32;
  }

  /**
   * Submits what is queued and waits for completions.
   *
   * @param completions How many to wait for
   * @throws {SystemError} If the kernel refuses for any other reason than being busy or interrupted
   */
  enter(completions: number): void {
    Atomics.store(this.#submissionTail, 0, this.#tail);
    const waiting = (this.#tail - this.#submitted) >>> 0;
    const result = this.#calls.enter(
      this.#enterDescriptor,
      waiting,
      completions,
      this.#enterFlags,
    );
    if (result >= 0) this.#submitted = (this.#submitted + result) >>> 0;
    else if (
      result !== -ERRNO.EINTR && result !== -ERRNO.EAGAIN && result !== -ERRNO.EBUSY
    ) throw new SystemError("io_uring_enter", -result);
  }

  /** The kernel takes no more as long as it has no room for completions: what was taken of them is its again. */
  #makeRoom(): void {
    for (let tries = 0; ((this.#tail - this.#submitted) >>> 0) > this.#submissionMask; tries++) {
      if (tries === SUBMIT_TRIES_MAX) throw new SystemError("io_uring_enter", ERRNO.EBUSY);
      this.publishHead();
      this.enter(0);
    }
  }

  /** Whether something has happened that {@linkcode Ring.enter} will make completions of, without waiting. */
  get hasPending(): boolean {
    return (Atomics.load(this.#submissionFlags, 0) & IO_URING.IORING_SQ_TASKRUN) !== 0;
  }

  /**
   * Takes in what has happened, as far as there are no more than so many completions then. One enter brings 20 at most
   * (IO_LOCAL_TW_DEFAULT_MAX, since Linux 6.13).
   */
  drain(completionsMax: number): void {
    for (let ready = this.ready; this.hasPending && ready < completionsMax;) {
      this.enter(0);
      // The kernel sets the flag behind the work, which may be done by then, and clears it with the next only: a flag that
      // brings nothing must not be waited for.
      if (this.ready === ready) return;
      ready = this.ready;
    }
  }

  /** The place behind the last completion that is there. */
  get tail(): number {
    return Atomics.load(this.#completionTail, 0);
  }

  /** Completions that are there and were not taken. */
  get ready(): number {
    return (this.tail - this.head) >>> 0;
  }

  /** Gives the completions before {@linkcode Ring.head} back to the kernel. */
  publishHead(): void {
    Atomics.store(this.#completionHead, 0, this.head);
  }

  /**
   * Registers a table of files, empty, for direct descriptors (io_uring_register(2)).
   *
   * @throws {SystemError} Among others if the process may not have that many files (RLIMIT_NOFILE)
   */
  registerFiles(count: number): void {
    const argument = new Uint8Array(FILES_REGISTRATION.sizeof);
    const fields = new DataView(argument.buffer);
    fields.setUint32(FILES_REGISTRATION.nr, count, true);
    fields.setUint32(FILES_REGISTRATION.flags, IO_URING.IORING_RSRC_REGISTER_SPARSE, true);
    orThrow(
      this.#calls.register(
        this.descriptor,
        IO_URING.IORING_REGISTER_FILES2,
        argument,
        argument.length,
      ),
      `io_uring_register of ${count} files`,
    );
  }

  /**
   * Registers a ring of buffers, as group 0. It belongs to the ring.
   *
   * @throws {SystemError} On a kernel before 5.19
   */
  registerBuffers(count: number, byteLength: number): BufferRing {
    const buffers = new BufferRing(count, byteLength);
    const argument = new Uint8Array(BUFFER_REGISTRATION.sizeof);
    const fields = new DataView(argument.buffer);
    fields.setBigUint64(BUFFER_REGISTRATION.ring_addr, BigInt(buffers.address), true);
    fields.setUint32(BUFFER_REGISTRATION.ring_entries, count, true);
    const result = this.#calls.register(
      this.descriptor,
      IO_URING.IORING_REGISTER_PBUF_RING,
      argument,
      1,
    );
    if (result < 0) buffers.free();
    orThrow(result, "io_uring_register of a buffer ring");
    this.#buffers = buffers;
    return buffers;
  }

  /** Which operations the kernel knows. */
  supportedOperations(): Set<number> {
    const count = 256;
    const argument = new Uint8Array(PROBE.sizeof + count * PROBE.op_sizeof);
    orThrow(
      this.#calls.register(this.descriptor, IO_URING.IORING_REGISTER_PROBE, argument, count),
      "io_uring_register of a probe",
    );
    const supported = new Set<number>();
    for (let operation = 0; operation <= argument[PROBE.last_op]; operation++) {
      const flags = argument[PROBE.sizeof + operation * PROBE.op_sizeof + PROBE.op_flags];
      if ((flags & IO_URING.IO_URING_OP_SUPPORTED) !== 0) supported.add(operation);
    }
    return supported;
  }

  /** Closes the ring and gives its memory back. Operations in flight are cancelled. */
  free(): void {
    libc().close(this.descriptor);
    // The kernel cancels what is in flight a little later: buffers it may still write to stay mapped.
    this.#buffers = null;
    for (const { address, byteLength } of this.#mappings.splice(0)) {
      libc().munmap(Deno.UnsafePointer.create(address), BigInt(byteLength));
    }
  }

  /** Frees it. */
  [Symbol.dispose](): void {
    this.free();
  }

  #map(byteLength: number, offset: number): ArrayBuffer {
    const pointer = libc().mmap(
      null,
      BigInt(byteLength),
      EVENTS.PROT_READ | EVENTS.PROT_WRITE,
      EVENTS.MAP_SHARED | EVENTS.MAP_POPULATE,
      this.descriptor,
      BigInt(offset),
    );
    const address = Deno.UnsafePointer.value(pointer);
    // MAP_FAILED is (void *) -1.
    if (address === 0n || BigInt.asIntN(64, BigInt(address)) === -1n) {
      throw new SystemError("mmap of a ring", ERRNO.EPERM);
    }
    this.#mappings.push({ address: BigInt(address), byteLength });
    return Deno.UnsafePointerView.getArrayBuffer(pointer!, byteLength);
  }

  /** A registered descriptor saves the kernel a lookup per call (Linux 5.18); `null` where it cannot be had. */
  #registerSelf(): number | null {
    const argument = new Uint8Array(RING_UPDATE.sizeof);
    const fields = new DataView(argument.buffer);
    fields.setUint32(RING_UPDATE.offset, 0xffff_ffff, true);
    fields.setBigUint64(RING_UPDATE.data, BigInt(this.descriptor), true);
    const result = this.#calls.register(
      this.descriptor,
      IO_URING.IORING_REGISTER_RING_FDS,
      argument,
      1,
    );
    return result === 1 ? fields.getUint32(RING_UPDATE.offset, true) : null;
  }
}

/**
 * Buffers lent to the kernel: it takes the next one when bytes arrive, so that a connection without any owns none.
 *
 * ```
 *  ring of entries: | address, length, number | … |   the tail word lies in the first entry
 * ```
 */
export class BufferRing {
  /** Bytes of all buffers, one behind the other. */
  readonly bytes: Uint8Array;
  /** Where the ring of entries begins. */
  readonly address: number;
  /** Bytes of one buffer. */
  readonly byteLength: number;
  readonly #memory: MappedMemory;
  readonly #entries: Uint32Array;
  readonly #shorts: Uint16Array;
  readonly #mask: number;
  readonly #buffersAddress: number;
  #tail = 0;

  constructor(count: number, byteLength: number) {
    const ringBytes = Math.ceil(count * BUFFER.sizeof / 4_096) * 4_096;
    this.#memory = mapMemory(ringBytes + count * byteLength);
    const { buffer } = this.#memory.bytes;
    this.#entries = new Uint32Array(buffer, 0, count * 4);
    this.#shorts = new Uint16Array(buffer, 0, count * 8);
    this.bytes = new Uint8Array(buffer, ringBytes);
    this.address = this.#memory.address;
    this.#buffersAddress = this.address + ringBytes;
    this.byteLength = byteLength;
    this.#mask = count - 1;
    this.taken = count;
    for (let i = 0; i < count; i++) this.give(i);
    this.publish();
  }

  /** Buffers that the kernel has filled and that it has not got back. */
  taken = 0;

  /** Counts a buffer that the kernel has filled. */
  take(): void {
    this.taken++;
  }

  /** Lends a buffer to the kernel again; it sees it with the next {@linkcode BufferRing.publish}. */
  give(number: number): void {
    this.taken--;
    const place = this.#tail & this.#mask;
    const address = this.#buffersAddress + number * this.byteLength;
    this.#entries[place * 4] = address;
    this.#entries[place * 4 + 1] = address / TWO_32;
    this.#entries[place * 4 + 2] = this.byteLength;
    this.#shorts[place * 8 + BUFFER.bid / 2] = number;
    this.#tail = (this.#tail + 1) & 0xffff;
  }

  /** Shows the kernel what it was given. */
  publish(): void {
    Atomics.store(this.#shorts, BUFFER.tail / 2, this.#tail);
  }

  /** Unmaps it; the kernel must not use it any more. */
  free(): void {
    this.#memory.free();
  }
}

function orThrow(result: number, call: string): number {
  if (result >= 0) return result;
  throw new SystemError(call, -result);
}
