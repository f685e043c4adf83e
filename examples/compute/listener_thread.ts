/**
 * What each thread of the listener answers by itself: POST /api/v1/compute/fast, GET /health, 429 to who asks too often,
 * and 503 while the pool is full.
 *
 * @module
 */
import type { RateLimiterMemory } from "../../limits/rate_limiter.ts";
import { HeadTemplate, listenerThread } from "../../native/mod.ts";
import { fastReply } from "./fast.ts";
import { rateGate } from "./rate_gate.ts";
import { errorReply, HEALTHY, JSON_FIELDS, overloaded } from "./reply.ts";
import { send, writeRequestId } from "./send.ts";

/** What the threads are told at their start. */
export interface ThreadData {
  /** See `PrimesPool`. */
  full: SharedArrayBuffer;
  rate: RateLimiterMemory | null;
}

const ok = new HeadTemplate(200, "OK", JSON_FIELDS);
const badRequest = new HeadTemplate(400, "Bad Request", JSON_FIELDS);
const refusal = errorReply(overloaded());
const refused = new HeadTemplate(503, "Service Unavailable", refusal.headers);
const decoder = new TextDecoder();

listenerThread(({ data, turnStart }) => {
  const { full, rate } = data as ThreadData;
  const isFull = new Int32Array(full);
  return {
    routes: [{
      path: "/api/v1/compute/fast",
      method: "POST",
      answer(request, answer) {
        const { bytes, bodyStart, bodyEnd } = request;
        const { status, body } = fastReply(decoder.decode(bytes.subarray(bodyStart, bodyEnd)));
        send(request, answer, status === 200 ? ok : badRequest, body);
        return true;
      },
    }, {
      path: "/api/v1/compute/intensive",
      method: "POST",
      answer(request, answer) {
        // The handler has it, except when it could only refuse it: that is cheaper here.
        if (Atomics.load(isFull, 0) === 0) return false;
        send(request, answer, refused, refusal.body);
        return true;
      },
    }, {
      path: "/health",
      answer(request, answer) {
        send(request, answer, ok, HEALTHY);
        return true;
      },
    }],
    gate: rate === null ? undefined : rateGate(rate, turnStart),
    // 400, 408, 413 and others that the listener refuses before any route is asked.
    refusalFields: writeRequestId,
  };
});
