import {
  type FastAnswer,
  type FastRequest,
  type FastRoute,
  HeadTemplate,
} from "../native/fast_route.ts";
import { HEALTH_HEADERS, healthText } from "../routes/health_answer.ts";
import type { RequestIds } from "./request_ids.ts";
import type { RequestLog } from "./request_log.ts";

const head = new HeadTemplate(200, "OK", HEALTH_HEADERS);

/** GET /health inside a listener thread: it is answered while the main thread is busy. */
export class FastHealth implements FastRoute {
  readonly path = "/health";
  readonly #requestIds: RequestIds;
  readonly #log: RequestLog;
  readonly #version: string;
  readonly #startedAt: number;

  /** @param startedAt When the service was started, in milliseconds since 1970 */
  constructor(requestIds: RequestIds, log: RequestLog, version: string, startedAt: number) {
    this.#requestIds = requestIds;
    this.#log = log;
    this.#version = version;
    this.#startedAt = startedAt;
  }

  answer(request: FastRequest, answer: FastAnswer): boolean {
    const text = healthText(this.#version, this.#startedAt);
    answer.begin(head);
    this.#requestIds.write(request, answer);
    answer.endHead(text.length);
    answer.writeText(text);
    this.#log.answered(request, 200, text.length, this.#requestIds);
    return true;
  }
}
