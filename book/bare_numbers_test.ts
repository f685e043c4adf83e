import { assertEquals } from "@std/assert";
import { bareNumbers, isMeasuredCode } from "./bare_numbers.ts";

Deno.test("names, dates and versions with figures in them are no numbers", () => {
  for (
    const prose of [
      "RFC 9112 and RFC\n9110, chapter 4, chapters 4 and 5, on 2026-11-25",
      "Linux 6.18.1, Deno 2.9.6 and HTTP/1.1, p50, p99 and p99.9",
      "IPv4, IPv6, x86-64, UTF-8, CRC-32, SHA-256 and io_uring",
      "two drivers, half-open connections, a manifold, one core, unfolding",
      "two cores, one thread, a second thread, one process, two sides, four for each place",
      "Three things are kept apart. A one-day range, once a minute at most, of requests a second",
      "a third-party library, two third-party ones, a half open one, the fifth of them",
    ]
  ) assertEquals(bareNumbers(prose), [], prose);
});

Deno.test("any other number is found, in figures and in words", () => {
  const cases: [prose: string, numbers: string[]][] = [
    ["took 5µs", ["5µs"]],
    ["Linux 6 and Deno 2", ["6", "2"]],
    ["HTTP/1.1234", ["HTTP/1.1234"]],
    ["p9999 and p5", ["p9999", "p5"]],
    ["RFC 9", ["9"]],
    ["x² and ¼ and ٣", ["x²", "¼", "٣"]],
    ["ten times, tenfold, twice as fast, half the time", [
      "ten times",
      "tenfold",
      "twice as",
      "half the",
    ]],
    ["twice the CPU, twenty times, five microseconds, three quarters of it, tens of kB", [
      "twice",
      "twenty times",
      "five microseconds",
      "three quarters of",
      "tens of",
    ]],
    ["One second, two bytes, half an hour, by half, by four fifths, a tenth of, a factor of two", [
      "One second",
      "two bytes",
      "half an hour",
      "by half",
      "four fifths",
      "a tenth of",
      "factor of two",
    ]],
    ["twenty-five milliseconds, an order of magnitude, forty\ntimes", [
      "twenty-five milliseconds",
      "order of magnitude",
      "forty times",
    ]],
    ["hundreds of thousands, two thirds of it, doubled, 30 per cent", [
      "hundreds",
      "thousands",
      "two thirds of",
      "doubled",
      "30",
      "per cent",
    ]],
  ];
  for (const [prose, numbers] of cases) {
    assertEquals(bareNumbers(prose).map(({ text }) => text), numbers, prose);
  }
});

Deno.test("code that is only a measured number is told from a status or a name", () => {
  const measured = ["5 µs", "1,000 requests/s", "0.8x", "36%"];
  assertEquals(measured.filter(isMeasuredCode), measured);
  assertEquals(["503", "io_uring_enter", "port 8080", "HTTP/1.1"].filter(isMeasuredCode), []);
});
