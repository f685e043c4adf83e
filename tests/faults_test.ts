import { assert, assertEquals, assertGreater } from "@std/assert";
import { load, type LoadResult } from "./load.ts";
import { denoRun, Service } from "./service.ts";
import { adminPost, eventually, type Poll, searchFor, versionOf } from "./target.ts";

/** Each fault of the demo provider, and what a poll that meets it comes to. */
const FAULTS: Readonly<Record<string, RegExp>> = {
  unavailable: /^failed provider_status$/,
  latency: /^unchanged $/,
  hang: /^failed provider_timeout$/,
  cut: /^refused malformed_feed$/,
  malformed: /^refused malformed_feed$/,
  // A page has a DOCTYPE, another root, and is no XML: any of these is reason enough.
  html: /^refused (doctype_refused|wrong_root|malformed_feed)$/,
  doctype: /^refused doctype_refused$/,
  "gzip-bomb": /^refused feed_too_large$/,
  empty: /^empty $/,
  drip: /^failed provider_timeout$/,
};
const REQUESTS = 2_000;
const CLIENTS = 8;

/** The demo provider in a process of its own, so that the work of its faults is not in the times measured here. */
class DemoProvider implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(): Promise<DemoProvider> {
    // A frozen season: with no fault a poll changes nothing. Delays of 20 to 420 ms.
    const args = ["--port", "0", "--change-share", "0", "--latency-scale", "0.1"];
    const [program, ...rest] = denoRun("demo/main.ts", ["--allow-net", "--allow-env"], args);
    const child = new Deno.Command(program, {
      args: rest,
      env: { NO_COLOR: "1" },
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let printed = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += text;
      const found = /listens on (\S+)\n/.exec(printed);
      if (found !== null) return new DemoProvider(child, found[1]);
    }
    throw new Error(`the demo provider did not start: ${printed}`);
  }

  async setFault(fault: string): Promise<void> {
    const response = await fetch(new URL(`/fault/${fault}`, this.url), { method: "PUT" });
    await response.body?.cancel();
    assertEquals(response.status, 200, fault);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

async function poll(service: Service): Promise<Poll> {
  const response = await adminPost({ adminUrl: service.adminUrl!, adminToken: null }, "/poll");
  return (await response.json()).data.polls[0];
}

const shown = (ms: number) => ms.toFixed(1).padStart(7);

Deno.test("during every fault of the provider searches are answered from the last good version", async (t) => {
  await using provider = await DemoProvider.start();
  await using service = await Service.start({
    settings: { PROVIDER_URL: provider.url, POLL_INTERVAL: "1s", PROVIDER_TIMEOUT: "600ms" },
  });
  await eventually(async () => (await searchFor(service.url)).length > 0, "the first poll");
  const version = await versionOf(service.url);
  const all = await searchFor(service.url);
  const urls = [
    "",
    "limit=20",
    `starts_at=${all[100].start_date}&ends_at=${all[200].start_date}`,
    `ends_at=${all[50].start_date}`,
  ]
    .map((query) => `${service.url}/search?${query}`);
  const measure = async (): Promise<LoadResult> => {
    const result = await load(urls, { requests: REQUESTS, clients: CLIENTS });
    assertEquals(result.statuses, { 200: REQUESTS });
    assertEquals([...result.versions], [String(version)]);
    return result;
  };
  const pollThat = async (expected: RegExp): Promise<Poll> => {
    const seen: string[] = [];
    // A poll that had begun before the fault is joined by the first request for one.
    while (seen.length < 4) {
      const met = await poll(service);
      seen.push(`${met.outcome} ${met.error?.code ?? ""}`);
      if (expected.test(seen.at(-1)!)) return met;
    }
    throw new Error(`no poll came to ${expected}: ${seen}`);
  };
  await measure(); // Warm.
  console.log("    p50 and p99 of /search in ms, without and with each fault");
  for (const [fault, expected] of Object.entries(FAULTS)) {
    await t.step(fault, async () => {
      const before = await measure();
      await provider.setFault(fault);
      const [met, during] = await Promise.all([pollThat(expected), measure()]);
      assertEquals(met.version, version);
      assertEquals(await searchFor(service.url), all);
      await provider.setFault("none");
      // Where the breaker has opened meanwhile this takes as long as it stays open.
      const end = performance.now() + 40_000;
      for (let isGood = false; !isGood;) {
        assert(performance.now() < end, `no good poll after ${fault}`);
        isGood = ["unchanged", "not_modified"].includes((await poll(service))?.outcome);
        if (!isGood) await new Promise((resolve) => setTimeout(resolve, 200));
      }
      assertEquals(await versionOf(service.url), version);
      console.log(
        `    ${fault.padEnd(12)} without ${shown(before.p50Ms)} ${shown(before.p99Ms)}   with ` +
          `${shown(during.p50Ms)} ${
            shown(during.p99Ms)
          }   (${met.outcome}, ${met.attempts} requests)`,
      );
    });
  }
  const metrics = await (await fetch(`${service.adminUrl}/metrics`)).text();
  for (const outcome of ["failed", "refused", "empty"]) {
    const count = new RegExp(`^provider_polls_total\\{.*outcome="${outcome}"\\} (\\d+)$`, "m").exec(
      metrics,
    );
    assertGreater(Number(count?.[1] ?? 0), 0, outcome);
  }
});

Deno.test("a service that starts while the provider is down is ready, and has events once it is back", async () => {
  await using provider = await DemoProvider.start();
  await provider.setFault("unavailable");
  await using service = await Service.start({
    settings: { PROVIDER_URL: provider.url, POLL_INTERVAL: "1s" },
  });
  await eventually(async () => (await fetch(`${service.url}/ready`)).ok, "readiness");
  assertEquals(await searchFor(service.url), []);
  await provider.setFault("none");
  await eventually(async () => (await searchFor(service.url)).length > 0, "events");
});

Deno.test("the provider as flaky as the live one was is polled all the same", async () => {
  await using provider = await DemoProvider.start();
  await provider.setFault("flaky");
  await using service = await Service.start({
    settings: { PROVIDER_URL: provider.url, POLL_INTERVAL: "1s" },
  });
  await eventually(async () => (await searchFor(service.url)).length > 0, "events");
});
