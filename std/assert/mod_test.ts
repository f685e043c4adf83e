// Checked with node:assert, so that no assertion vouches for itself.
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import * as std from "./mod.ts";

/** Runs what is to fail, and returns the message of the AssertionError. */
function messageOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    ok(error instanceof std.AssertionError, `threw ${error} instead of an AssertionError`);
    strictEqual(error.name, "AssertionError");
    return error.message;
  }
  throw new Error("did not throw");
}

Deno.test("equal compares in depth what counts as the same", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const otherCycle: { self?: unknown } = {};
  otherCycle.self = { self: otherCycle };
  const symbol = Symbol();
  const pairs: [unknown, unknown][] = [
    [NaN, NaN],
    [[0], [-0]],
    [{ a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
    [Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [{ [symbol]: 1 }, { [symbol]: 1 }],
    [new Date(5), new Date(5)],
    [new Date(NaN), new Date(NaN)],
    [/a/g, /a/g],
    [new URL("http://a/b"), new URL("http://a/b")],
    [new Error("a", { cause: [1] }), new Error("a", { cause: [1] })],
    [new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
    [new Map([[{ k: 1 }, 1], [{ k: 2 }, 2]]), new Map([[{ k: 2 }, 2], [{ k: 1 }, 1]])],
    [new Headers({ a: "1" }), new Headers({ A: "1" })],
    [Float64Array.of(NaN, 0), Float64Array.of(NaN, -0)],
    [Uint8Array.of(0, 1, 2).subarray(1), Uint8Array.of(1, 2)],
    [Uint8Array.of(1, 2).buffer, Uint8Array.of(1, 2).buffer],
    [Temporal.PlainDate.from("2021-02-01"), Temporal.PlainDate.from("2021-02-01")],
    [cycle, otherCycle],
  ];
  for (const [a, b] of pairs) {
    ok(std.equal(a, b), Deno.inspect([a, b]));
    ok(std.equal(b, a), Deno.inspect([b, a]));
  }
});

Deno.test("equal tells apart what differs anywhere", () => {
  class Point {
    x = 1;
  }
  const one = { x: 1 }, two = { x: 2 };
  const pairs: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [null, {}],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [{ x: 1 }, new Point()],
    [[], {}],
    [[1, 2], [2, 1]],
    [new Array(2), new Array(3)],
    [[undefined], new Array(1)],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [new URL("http://a/b"), new URL("http://a/c")],
    [new Error("a"), new Error("b")],
    [new Error("a"), new TypeError("a")],
    [Object(1), Object(2)],
    [new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])],
    [new Map([["k", { a: 1 }]]), new Map([["k", { a: 2 }]])],
    [new Headers({ a: "1" }), new Headers({ a: "2" })],
    [Uint8Array.of(1), Int8Array.of(1)],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
    [Uint8Array.of(1).buffer, Uint8Array.of(2).buffer],
    [new DataView(Uint8Array.of(1).buffer), new DataView(Uint8Array.of(2).buffer)],
    [Temporal.PlainDate.from("2021-02-01"), Temporal.PlainDate.from("2021-02-02")],
    // The same two objects are compared twice, and must differ the second time too.
    [new Set([[one, 1], [one, 2]]), new Set([[two, 2], [two, 1]])],
  ];
  for (const [a, b] of pairs) {
    ok(!std.equal(a, b), Deno.inspect([a, b]));
    ok(!std.equal(b, a), Deno.inspect([b, a]));
  }
});

Deno.test("a failed assertEquals shows the lines that differ, near others only, and the caller's message", () => {
  const record = { id: 1, tags: ["a", "b"], nested: { deep: { deeper: { deepest: 1 } } } };
  const message = messageOf(() =>
    std.assertEquals(
      record,
      { ...record, tags: ["a", "c"], nested: { deep: { deeper: { deepest: 2 } } } },
      "after the poll",
    )
  );
  match(message, /^Values are not equal: after the poll\n/);
  match(message, /\n {4}- +"b",\n {4}\+ +"c",\n/);
  match(message, /\n {4}- +deepest: 1,\n {4}\+ +deepest: 2,\n/);

  const numbers = Array.from({ length: 1_000 }, (_, index) => index);
  const far = messageOf(() => std.assertEquals(numbers, numbers.with(500, -1)));
  deepStrictEqual(far.match(/^ {4}[-+] .*\d,/gm), ["    -   500,", "    +   -1,"]);
  ok(far.split("\n").length < 20, far);
});

Deno.test("a failed assertEquals of texts compares their lines as they are", () => {
  const message = messageOf(() => std.assertEquals("one\ntwo\nthree", "one\n2\nthree"));
  match(message, /\n {6}one\n {4}- two\n {4}\+ 2\n {6}three\n/);
});

Deno.test("the message of a failed assertEquals stays bounded", () => {
  const lines = (from: number) => Array.from({ length: 20_000 }, (_, index) => index + from);
  const message = messageOf(() => std.assertEquals(lines(0), lines(50_000)));
  ok(message.split("\n").length < 300);
  match(message, /more lines/);
});

Deno.test("assertions on truth, existence and kind accept and refuse", () => {
  std.assert(1);
  std.assertFalse(null);
  std.assertExists("");
  std.assertInstanceOf(new TypeError(), Error);
  match(messageOf(() => std.assert(0)), /0/);
  strictEqual(messageOf(() => std.assert(0, "mine")), "mine");
  match(messageOf(() => std.assertFalse("x")), /"x"/);
  match(messageOf(() => std.assertExists(null, "mine")), /null: mine$/);
  match(messageOf(() => std.assertInstanceOf(new Error(), TypeError)), /TypeError, .*Error$/);
  match(messageOf(() => std.assertInstanceOf(null, TypeError)), /null$/);
  match(messageOf(() => std.fail("mine")), /mine$/);
  match(messageOf(() => std.unreachable("mine")), /mine$/);
});

Deno.test("assertions on order and nearness accept and refuse", () => {
  std.assertGreater(2, 1);
  std.assertGreaterOrEqual(1, 1);
  std.assertLess(1n, 2n);
  std.assertLessOrEqual(1, 1);
  std.assertAlmostEquals(1, 1 + 1e-8);
  std.assertAlmostEquals(10, 9.5, 0.5);
  std.assertAlmostEquals(Infinity, Infinity);
  match(messageOf(() => std.assertGreater(1, 1)), /1 > 1/);
  match(messageOf(() => std.assertGreaterOrEqual(0, 1)), /0 >= 1/);
  match(messageOf(() => std.assertLess(1, 1)), /1 < 1/);
  match(messageOf(() => std.assertLessOrEqual(NaN, 1)), /NaN <= 1/);
  match(messageOf(() => std.assertAlmostEquals(1, 1 + 1e-6, undefined, "mine")), /: mine$/);
  match(messageOf(() => std.assertAlmostEquals(10, 9, 0.5)), /within 0.5 of 9/);
  match(messageOf(() => std.assertAlmostEquals(NaN, 1)), /NaN/);
});

Deno.test("assertions on equality accept and refuse", () => {
  const list = [1];
  std.assertStrictEquals(list, list);
  std.assertStrictEquals(NaN, NaN);
  std.assertNotEquals([1], [2]);
  match(messageOf(() => std.assertStrictEquals(list, [1])), /not the same/);
  match(messageOf(() => std.assertStrictEquals(0, -0)), /- 0\n {4}\+ -0/);
  match(messageOf(() => std.assertNotEquals([1], [1], "mine")), /: mine$/);
});

Deno.test("assertions on contents accept and refuse", () => {
  std.assertMatch("abc", /b/);
  std.assertStringIncludes("abc", "bc");
  std.assertArrayIncludes([1, { a: 1 }, 3], [{ a: 1 }]);
  std.assertArrayIncludes(Uint8Array.of(1, 2), Uint8Array.of(2));
  match(messageOf(() => std.assertMatch("abc", /d/)), /"abc" to match \/d\//);
  match(messageOf(() => std.assertStringIncludes("abc", "d", "mine")), /"abc" .* "d": mine$/);
  match(messageOf(() => std.assertArrayIncludes([1], [1, 2])), /to contain \[\s*2,?\s*\]$/);
});

Deno.test("assertObjectMatch looks only at what is expected, in depth", () => {
  class Point {
    x = 1;
    y = 2;
  }
  const cycle: Record<string, unknown> = { name: "a" };
  cycle.self = cycle;
  const actual = { id: 1, list: [1, { a: 1, b: 2 }, 3], map: new Map([["k", { a: 1, b: 2 }]]) };
  std.assertObjectMatch(actual, { id: 1 });
  std.assertObjectMatch(actual, { list: [1, { b: 2 }] });
  std.assertObjectMatch(actual, { map: new Map([["k", { a: 1 }]]) });
  std.assertObjectMatch({ tags: new Set([1, 2]) }, { tags: new Set([2]) });
  std.assertObjectMatch({ at: new Point() }, { at: { x: 1 } });
  std.assertObjectMatch(cycle, { self: { self: { name: "a" } } });
  std.assertObjectMatch({ at: new Date(5), none: undefined }, { at: new Date(5), none: undefined });
  for (
    const expected of [
      { id: 2 },
      { missing: undefined },
      { list: [2] },
      { list: [1, { a: 2 }] },
      { list: [1, { a: 1, b: 2 }, 3, 4] },
      { list: { 0: 1 } },
      { map: new Map([["k", { a: 2 }]]) },
      { map: new Map([["l", {}]]) },
      { id: { deep: 1 } },
    ]
  ) messageOf(() => std.assertObjectMatch(actual, expected));
  match(messageOf(() => std.assertObjectMatch(actual, { id: 2 }, "mine")), /mine\n[^]*- +id: 1/);
});

Deno.test("assertThrows returns what was thrown, and checks its class and message", () => {
  const error = new RangeError("port 70000");
  const fn = () => {
    throw error;
  };
  strictEqual(std.assertThrows(fn), error);
  strictEqual(std.assertThrows(fn, Error, "70000"), error);
  strictEqual(
    std.assertThrows(() => {
      throw null;
    }),
    null,
  );
  match(messageOf(() => std.assertThrows(() => {}, "mine")), /throw: mine$/);
  match(messageOf(() => std.assertThrows(() => {}, Error, "x", "mine")), /throw: mine$/);
  match(messageOf(() => std.assertThrows(fn, TypeError)), /TypeError.*RangeError: port 70000/);
  match(messageOf(() => std.assertThrows(fn, Error, "8080", "mine")), /"8080".*"port 70000": mine/);
  match(
    messageOf(() =>
      std.assertThrows(() => {
        throw "text";
      }, Error)
    ),
    /"text"/,
  );
});

Deno.test("assertRejects returns the reason, and refuses fulfilment, throwing and what is no promise", async () => {
  const error = new RangeError("port 70000");
  const rejection = async (fn: () => unknown): Promise<string> => {
    const reason = await Promise.resolve(fn()).then(() => undefined, (reason) => reason);
    ok(reason instanceof std.AssertionError, `${reason}`);
    return reason.message;
  };
  const rejecting = () => Promise.reject(error);
  strictEqual(await std.assertRejects(rejecting), error);
  strictEqual(await std.assertRejects(rejecting, RangeError, "70000"), error);
  match(await rejection(() => std.assertRejects(() => Promise.resolve(), "mine")), /reject: mine$/);
  match(await rejection(() => std.assertRejects(rejecting, TypeError)), /TypeError.*RangeError/);
  match(await rejection(() => std.assertRejects(rejecting, Error, "8080")), /8080/);
  match(
    await rejection(() =>
      std.assertRejects(() => {
        throw error;
      })
    ),
    /threw/,
  );
  match(await rejection(() => std.assertRejects(() => 1 as unknown as Promise<void>)), /got 1/);
});

Deno.test("assertIsError checks class and message", () => {
  std.assertIsError(new TypeError("abc"), TypeError, /b/);
  match(messageOf(() => std.assertIsError("abc")), /"abc"/);
  match(messageOf(() => std.assertIsError(new Error("abc"), TypeError)), /TypeError/);
  match(messageOf(() => std.assertIsError(new Error("abc"), Error, /d/)), /matching \/d\//);
});
