import { assertEquals, assertMatch } from "@std/assert";
import { fieldValues, latin1Bytes, RawClient } from "./testing/raw_client.ts";
import { NATIVE_TRANSPORTS, openTestedListener } from "./testing/tested_listener.ts";

/** How long a body may take here, in milliseconds. */
const BODY_TIMEOUT_MS = 400;
const HEAD = "POST /posted HTTP/1.1\r\nHost: a.test\r\nX-Request-ID: mine\r\n";

// That bodies come in any pieces and between any requests, conformance_test.ts and fuzz_test.ts have.
for (const { transport, problem } of NATIVE_TRANSPORTS) {
  const ignore = problem !== null;

  Deno.test({
    name:
      `${transport}: a POST of a fast route is counted as that, in however many pieces it comes`,
    ignore,
    async fn() {
      await using tested = await openTestedListener({ transport });
      await using client = await RawClient.open(tested.port);
      const bytes = latin1Bytes(`${HEAD}Content-Length: 10\r\n\r\n0123456789`);
      for (const cuts of [[], [bytes.length - 10], [20, bytes.length - 5], [bytes.length - 1]]) {
        await client.writePieces(bytes, cuts);
        const { status, body } = await client.answer("POST");
        assertEquals([status, new TextDecoder().decode(body)], [200, '{"fast":"0123456789"}']);
      }
      await client[Symbol.asyncDispose]();
      await tested.quiet();
      const { fastRoutes, requestsHandled } = tested.listener.statistics();
      const posted = fastRoutes.find(({ path }) => path === "/posted")!;
      assertEquals(posted.answers, [{ method: "POST", status: 200, count: 4 }]);
      assertEquals(requestsHandled, 0);
    },
  });

  Deno.test({
    name:
      `${transport}: a body that a fast route waits for in vain is a 408, once others were answered`,
    ignore,
    async fn() {
      await using tested = await openTestedListener({
        transport,
        bodyTimeoutMs: BODY_TIMEOUT_MS,
        headerTimeoutMs: 60_000,
        idleTimeoutMs: 60_000,
      });
      await using client = await RawClient.open(tested.port);
      const before = "GET /fast?1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
      await client.write(latin1Bytes(`${before}${HEAD}Content-Length: 10\r\n\r\n01234`));
      assertEquals((await client.answer("GET")).status, 200);
      const answer = await client.answer("POST");
      assertEquals(answer.status, 408);
      const { error } = JSON.parse(new TextDecoder().decode(answer.body));
      assertEquals(error.code, "request_timeout");
      assertMatch(error.message, /body/);
      assertEquals(fieldValues(answer, "x-refused"), ["unknown"]);
      assertEquals(await client.ending(), "closed");
      await tested.quiet();
    },
  });

  Deno.test({
    name: `${transport}: a client that leaves amid the body of a fast route leaves nothing behind`,
    ignore,
    async fn() {
      await using tested = await openTestedListener({ transport });
      for (const leaving of ["close", "reset"] as const) {
        await using client = await RawClient.open(tested.port);
        await client.write(latin1Bytes(`${HEAD}Content-Length: 10\r\n\r\n01234`));
        await client.leave(leaving);
      }
      await tested.quiet();
      assertEquals(tested.listener.statistics().requestsHandled, 0);
    },
  });

  Deno.test({
    name: `${transport}: a client that waits for 100 Continue gets it, and its handler the body`,
    ignore,
    async fn() {
      await using tested = await openTestedListener({ transport });
      await using client = await RawClient.open(tested.port);
      await client.write(latin1Bytes(`${HEAD}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`));
      assertEquals(await client.status(), 100);
      await client.write(latin1Bytes("hello"));
      const { bodyLength } = JSON.parse(new TextDecoder().decode((await client.answer()).body));
      assertEquals(bodyLength, 5);
    },
  });

  Deno.test({
    name: `${transport}: what the listener refuses carries the fields that its module adds`,
    ignore,
    async fn() {
      await using tested = await openTestedListener({ transport, bodyBytesMax: 100 });
      const refused = async (text: string) => {
        await using client = await RawClient.open(tested.port);
        await client.write(latin1Bytes(text));
        const answer = await client.answer("POST");
        return [answer.status, ...fieldValues(answer, "x-refused")];
      };
      assertEquals(await refused(`${HEAD}Content-Length: 101\r\n\r\n`), [413, "mine"]);
      assertEquals(await refused("no request\r\n\r\n"), [400, "unknown"]);
      tested.listener.setConnectionLimit(0);
      assertEquals(await refused(`${HEAD}\r\n`), [503, "unknown"]);
    },
  });
}
