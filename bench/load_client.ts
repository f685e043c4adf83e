/**
 * The client of the overload benches, a process of its own: makes a load that moves while it runs, and asks the service
 * once a second for its metrics. On standard input one line of JSON, {@linkcode LoadOrder}, then numbers of connections, a line
 * each, and "stop"; on standard output a line of JSON a second, {@linkcode LoadSecond}. It ends when standard input does.
 * `deno run --allow-net --allow-read --allow-ffi bench/load_client.ts`
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { type LoadOptions, type LoadSample, startLoad } from "../load/mod.ts";
import { readService, type ServiceReading } from "./service_reading.ts";

/** What the client is told to do. */
export interface LoadOrder {
  load: Omit<LoadOptions, "signal" | "onProgress">;
  /** Where the service's metrics are. */
  metricsUrl: string;
}

/** What one second was like, to the client and to the service. */
export interface LoadSecond {
  load: LoadSample;
  /** `null` where the service did not answer within a second. */
  service: ServiceReading | null;
}

if (import.meta.main) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const { value: order } = await lines.next();
  const { load: options, metricsUrl } = JSON.parse(order!) as LoadOrder;
  const load = startLoad({
    ...options,
    onProgress: async (sample) => {
      const service = await readService(metricsUrl);
      console.log(JSON.stringify({ load: sample, service } satisfies LoadSecond));
    },
  });
  load.report.then(
    ({ errors, examples }) => console.log(JSON.stringify({ ended: { errors, examples } })),
    (error) => console.log(JSON.stringify({ failed: error.message })),
  );
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    if (line === "stop") load.stop();
    else load.setConnections(Number(line));
  }
  Deno.exit(0);
}
