/** A thread that does what the tests ask of it. */
import { serveTasks } from "../mod.ts";

/** What a test may ask for. */
export type TestTask =
  | { do: "echo"; value: unknown }
  | { do: "length"; bytes: Uint8Array }
  | { do: "throw"; name: string; message: string }
  | { do: "throwText" }
  | { do: "spin" }
  | { do: "never" }
  | { do: "wait"; gate: Int32Array<SharedArrayBuffer> }
  | { do: "exit" }
  | { do: "die" }
  | { do: "dieLater" }
  | { do: "count"; batches: number; sent: Int32Array<SharedArrayBuffer> };

serveTasks<TestTask, unknown, number>(async (task, { send }) => {
  switch (task.do) {
    case "echo":
      return task.value;
    case "length":
      return task.bytes.length;
    case "throw":
      throw Object.assign(new Error(task.message), { name: task.name });
    case "throwText":
      throw "only a text";
    case "spin":
      for (;;);
    case "never":
      return new Promise(() => {});
    case "wait":
      Atomics.wait(task.gate, 0, 0);
      return Atomics.load(task.gate, 0);
    case "exit":
      Deno.exit(0);
      break;
    case "die":
      setTimeout(() => {
        throw new RangeError("nobody catches this");
      });
      return new Promise(() => {});
    case "dieLater":
      // Between two tasks: this one is done before.
      setTimeout(() => {
        throw new RangeError("nobody catches this");
      }, 5);
      return "done";
    case "count":
      for (let number = 0; number < task.batches; number++) {
        Atomics.add(task.sent, 0, 1);
        await send(number);
      }
      return task.batches;
  }
});
