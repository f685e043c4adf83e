import { assertEquals, assertLess } from "@std/assert";
import { EVENTS, IO_URING, PARAMS, SQ_OFFSETS } from "./kernel_layout.ts";
import { check, libc } from "./libc.ts";
import { Ring } from "./ring.ts";
import { openRingCalls } from "./ring_calls.ts";
import { NATIVE_TRANSPORTS } from "./testing/tested_listener.ts";

const { problem } = NATIVE_TRANSPORTS.find(({ transport }) => transport === "uring")!;

Deno.test({
  name: "uring: a flag that says that something has happened, where nothing has, is not waited for",
  ignore: problem !== null,
  fn() {
    const calls = openRingCalls();
    let params = new DataView(new ArrayBuffer(0)), enters = 0;
    using ring = new Ring({
      submissions: 8,
      completions: 16,
      calls: {
        ...calls,
        setup(entries, given) {
          params = new DataView(given.buffer);
          return calls.setup(entries, given);
        },
        enter(...given) {
          assertLess(++enters, 100, "it goes on for ever");
          return calls.enter(...given);
        },
      },
    });
    // The kernel leaves it set where it sets it behind the work that it did meanwhile.
    const page = libc().mmap(
      null,
      4_096n,
      EVENTS.PROT_READ | EVENTS.PROT_WRITE,
      EVENTS.MAP_SHARED,
      ring.descriptor,
      BigInt(IO_URING.IORING_OFF_SQ_RING),
    );
    const offset = params.getUint32(PARAMS.sq_off + SQ_OFFSETS.flags, true);
    const flags = new Uint32Array(
      Deno.UnsafePointerView.getArrayBuffer(page!, 4_096),
      offset,
      1,
    );
    Atomics.or(flags, 0, IO_URING.IORING_SQ_TASKRUN);
    assertEquals(ring.hasPending, true);
    ring.drain(8);
    assertEquals([enters, ring.ready], [1, 0]);
    check(libc().munmap(page, 4_096n), "munmap");
  },
});
