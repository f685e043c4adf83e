import { assertEquals, assertThrows } from "@std/assert";
import { convert, formatNumber, formatQuantity, naturalUnit } from "./quantity.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ");

Deno.test("what was measured has three figures, a small ratio two, what was counted all", () => {
  assertEquals(plain(formatQuantity({ value: 5.9712, unit: "µs" })), "5.97 µs");
  assertEquals(plain(formatQuantity({ value: 137_305, unit: "requests/s" })), "137,000 requests/s");
  assertEquals(plain(formatQuantity({ value: 5, unit: "ms" })), "5.00 ms");
  assertEquals(formatNumber({ value: 0.7834, unit: "" }), "0.78");
  assertEquals(formatNumber({ value: 1.0712, unit: "" }), "1.07");
  assertEquals(plain(formatQuantity({ value: 99_998, unit: "connections" })), "99,998 connections");
  assertEquals(formatNumber({ value: 0, unit: "ms" }), "0");
  assertEquals(formatNumber({ value: 5.9712, unit: "µs" }, 1), "6");
});

Deno.test("a unit is changed only where the number would be long", () => {
  assertEquals(naturalUnit([3_120], "ms"), "s");
  assertEquals(naturalUnit([0.46, 1.2], "ms"), "ms");
  assertEquals(naturalUnit([0.46], "ms"), "ms");
  assertEquals(naturalUnit([0.00046], "s"), "µs");
  assertEquals(naturalUnit([8_533], "bytes"), "kB");
  assertEquals(naturalUnit([340], "MiB"), "MiB");
  assertEquals(naturalUnit([5_000], "requests/s"), "requests/s");
  assertEquals(naturalUnit([0], "ms"), "ms");
});

Deno.test("units are turned into each other, and others refused", () => {
  assertEquals(convert({ value: 1, unit: "MiB" }, "kB"), { value: 1048.576, unit: "kB" });
  assertEquals(convert({ value: 0.46, unit: "" }, "%"), { value: 46, unit: "%" });
  assertThrows(
    () => convert({ value: 1, unit: "ms" }, "MB"),
    RangeError,
    "ms can't be shown in MB",
  );
  assertThrows(() => convert({ value: 1, unit: "" }, "ms"), RangeError, "a ratio can't");
});
