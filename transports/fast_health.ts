import { type FastAnswer, type FastRequest, type FastRoute, HeadTemplate } from "../native/mod.ts";
import { HEALTH_HEADERS, healthText } from "../routes/mod.ts";
import type { RequestIds } from "./request_ids.ts";

const head = new HeadTemplate(200, "OK", HEALTH_HEADERS);

/** GET /health inside a listener thread: it is answered while the main thread is busy. */
export class FastHealth implements FastRoute {
  readonly path = "/health";
  readonly #requestIds: RequestIds;
  readonly #version: string;
  readonly #startedAt: number;

  /** @param startedAt When the service was started, in milliseconds since 1970 */
  constructor(requestIds: RequestIds, version: string, startedAt: number) {
    this.#requestIds = requestIds;
    this.#version = version;
    this.#startedAt = startedAt;
  }

  answer(request: FastRequest, answer: FastAnswer): boolean {
    const text = healthText(this.#version, this.#startedAt);
    answer.begin(head);
    this.#requestIds.write(request, answer);
    answer.endHead(text.length);
    answer.writeText(text);
    return true;
  }
}
