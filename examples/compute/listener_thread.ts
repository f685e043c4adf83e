/**
 * What each thread of the listener answers by itself: POST /api/v1/compute/fast, GET /health, and 429 to who asks too
 * often.
 *
 * @module
 */
import type { RateLimiterMemory } from "../../limits/rate_limiter.ts";
import { HeadTemplate, listenerThread } from "../../native/mod.ts";
import { fastReply } from "./fast.ts";
import { rateGate } from "./rate_gate.ts";
import { HEALTHY, JSON_FIELDS } from "./reply.ts";
import { send, writeRequestId } from "./send.ts";

const ok = new HeadTemplate(200, "OK", JSON_FIELDS);
const badRequest = new HeadTemplate(400, "Bad Request", JSON_FIELDS);
const decoder = new TextDecoder();

listenerThread(({ data, turnStart }) => ({
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
    path: "/health",
    answer(request, answer) {
      send(request, answer, ok, HEALTHY);
      return true;
    },
  }],
  gate: data === null ? undefined : rateGate(data as RateLimiterMemory, turnStart),
  // 400, 408, 413 and others that the listener refuses before any route is asked.
  refusalFields: writeRequestId,
}));
