import type { MeasuredProcess } from "./measured_process.ts";

const REQUEST_MS = 5;
const UNDER_WAY_MAX = 100;

/** What others notice of the main thread's work, since the last time it was asked. */
export class MainThreadProbe {
  readonly #process: MeasuredProcess;
  readonly #url: string;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #underWay = new Set<Promise<void>>();
  #latencies: number[] = [];

  /** @param process Was started with `--preload=bench/loop_delay.ts` and TRANSPORT=deno */
  constructor(base: string, process: MeasuredProcess) {
    this.#process = process;
    this.#url = `${base}/openapi.json`;
    this.#timer = setInterval(() => {
      if (this.#underWay.size >= UNDER_WAY_MAX) return;
      const request = this.#request().finally(() => this.#underWay.delete(request));
      this.#underWay.add(request);
    }, REQUEST_MS);
  }

  async #request(): Promise<void> {
    const began = performance.now();
    const response = await fetch(this.#url);
    await response.arrayBuffer();
    this.#latencies.push(performance.now() - began);
  }

  /** Forgets what it has seen so far. */
  async take(): Promise<{ delays: string; latencies: string }> {
    await Promise.all(this.#underWay);
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    this.#latencies = [];
    await this.#process.write("delays");
    const [, delays] = await this.#process.line(/^loop delays: (.*)$/);
    const at = (share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1);
    return { delays, latencies: `p50 ${at(0.5)} p99 ${at(0.99)} longest ${at(1)} ms` };
  }

  /** Ends when the requests under way have been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }
}
