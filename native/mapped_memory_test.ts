import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { mapMemory, MappedMemory, mappedMemoryProblem } from "./mapped_memory.ts";

const problem = mappedMemoryProblem();
if (problem !== null) console.log(`tests of mapped memory are ignored: ${problem}`);

/** Whether an address belongs to a mapping of this process. */
async function isMapped(address: number): Promise<boolean> {
  // By a program: Deno itself reads /proc/self only with every permission.
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${Deno.pid}/maps`] }).output();
  const maps = new TextDecoder().decode(stdout);
  return maps.split("\n").some((line) => {
    const [from, to] = line.split(" ")[0].split("-").map((end) => parseInt(end, 16));
    return address >= from && address < to;
  });
}

Deno.test({
  name: "mapped memory is zeroed, and another thread reads and writes it by its address",
  ignore: problem !== null,
  async fn() {
    using memory = mapMemory(100_000);
    assertEquals(memory.bytes.length, 100_000);
    assertEquals(memory.bytes.every((byte) => byte === 0), true);
    memory.bytes[7] = 42;
    const module = `
      import { MappedMemory } from ${
      JSON.stringify(new URL("mapped_memory.ts", import.meta.url).href)
    };
      self.onmessage = ({ data }) => {
        const { bytes } = new MappedMemory(data);
        bytes[8] = bytes[7] + 1;
        self.postMessage("written");
      };`;
    const worker = new Worker(
      URL.createObjectURL(new Blob([module], { type: "text/typescript" })),
      {
        type: "module",
      },
    );
    await new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage(memory.handle);
    });
    worker.terminate();
    assertEquals(memory.bytes[8], 43);
  },
});

Deno.test({
  name: "freed memory is unmapped, its views are empty, and freeing it again does nothing",
  ignore: problem !== null,
  async fn() {
    const memory = mapMemory(50_000_000);
    const view = memory.bytes.subarray(10, 20);
    view[0] = 1;
    assertEquals(await isMapped(memory.address), true);
    memory.free();
    assertEquals([view.length, view[0], memory.bytes.length], [0, undefined, 0]);
    assertEquals(await isMapped(memory.address), false);
    memory.free();
  },
});

Deno.test({
  name: "memory that the system does not have is refused with its size",
  ignore: problem !== null,
  fn() {
    const error = assertThrows(() => mapMemory(2 ** 50), RangeError);
    assertStringIncludes(error.message, String(2 ** 50));
  },
});

Deno.test({
  name: "a mapping opened twice is one memory",
  ignore: problem !== null,
  fn() {
    using memory = mapMemory(4_096);
    const again = new MappedMemory(memory.handle);
    again.bytes[0] = 9;
    assertEquals(memory.bytes[0], 9);
  },
});
