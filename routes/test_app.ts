import { Catalogue } from "../catalogue/mod.ts";
import type { Plan, Rejection, SellModePolicy } from "../domain/mod.ts";
import { type PollRecord, Store } from "../store/mod.ts";
import {
  adminRoutes,
  type AnsweredRequest,
  boardRoute,
  ChangeFeed,
  type Check,
  createApp,
  documentRoutes,
  eventRoute,
  healthRoute,
  readyRoute,
  type Route,
  searchRoute,
  streamRoute,
} from "./mod.ts";

/** What differs from the usual in a {@linkcode TestApp}. */
export interface TestAppOptions {
  policy?: SellModePolicy;
  requestTimeoutMs?: number;
  /** Routes beside those of the service. */
  routes?: readonly Route[];
  checks?: () => Check[];
  /** What POST /poll does in place of a poll that lists nothing. */
  poll?: () => Promise<PollRecord[]>;
  admin?: { prefix?: string; token?: string; isReadProtected?: boolean };
  /** True to begin without an edition, as a service does that is still loading. */
  isEmpty?: boolean;
}

/** The public and the admin routes over a real store in memory, for tests. */
export class TestApp implements AsyncDisposable {
  readonly feed = new ChangeFeed();
  readonly catalogue: Catalogue;
  readonly publicRoutes: readonly Route[];
  readonly adminRoutes: readonly Route[];
  /** Every request that an app answered, oldest first. */
  readonly answered: AnsweredRequest[] = [];
  /** Answers a request to the public routes. */
  readonly handle: (request: Request) => Response | Promise<Response>;
  /** Answers a request to the admin routes. */
  readonly handleAdmin: (request: Request) => Response | Promise<Response>;
  readonly #store: Store;
  readonly #stop = new AbortController();
  readonly #following: Promise<void> = Promise.resolve();
  #moved = Promise.withResolvers<void>();

  private constructor(store: Store, options: TestAppOptions) {
    const { policy = "latest", requestTimeoutMs = 5_000, checks = () => [], admin } = options;
    this.#store = store;
    this.catalogue = new Catalogue({ storeId: store.id, policy });
    const routes: Route[] = [
      searchRoute(this.catalogue),
      eventRoute(this.catalogue, policy),
      streamRoute(this.feed),
      healthRoute("1.2.3", Date.now()),
      readyRoute(checks),
      boardRoute(),
      ...options.routes ?? [],
    ];
    const info = { title: "Marquee", version: "1.2.3", description: "Under test." };
    this.publicRoutes = [...routes, ...documentRoutes(info, routes)];
    this.adminRoutes = adminRoutes({
      pollLog: store,
      poll: options.poll ?? (async () => [await this.publish([])]),
      metrics: () => Promise.resolve({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
      stats: () => ({ up: true }),
    }, {
      prefix: admin?.prefix ?? "",
      token: admin?.token ?? null,
      isReadProtected: admin?.isReadProtected ?? false,
    });
    const onAnswered = (answered: AnsweredRequest) => void this.answered.push(answered);
    this.handle = createApp({ routes: this.publicRoutes, requestTimeoutMs, onAnswered });
    this.handleAdmin = createApp({ routes: this.adminRoutes, requestTimeoutMs, onAnswered });
    if (options.isEmpty !== true) this.#following = this.#follow();
  }

  /** Opens an app whose catalogue is loaded, at version 0. */
  static async open(options: TestAppOptions = {}): Promise<TestApp> {
    const app = new TestApp(
      await Store.open({ path: ":memory:", providers: ["demo"], followIntervalMs: 50 }),
      options,
    );
    if (options.isEmpty !== true) await app.#hasVersion(0);
    return app;
  }

  /** Polls a feed of these plans, and resolves when the catalogue shows it and the poll log has all of it. */
  async publish(
    plans: readonly Plan[],
    rejections: readonly Rejection[] = [],
  ): Promise<PollRecord> {
    const startedAt = Date.now();
    const poll = (await this.#store.beginPoll("demo"))!;
    for (const plan of plans) poll.observe(plan);
    for (const rejection of rejections) poll.reject(rejection);
    const record = await poll.commit({ startedAt, attempts: 1, bytes: 1_000 }, {
      etag: null,
      lastModified: null,
    });
    await this.#hasVersion(record.version);
    await this.#store.settled();
    return record;
  }

  /** Answers GET of a path with the public routes. */
  async get(path: string, init: RequestInit = {}): Promise<Response> {
    return await this.handle(new Request(`http://marquee.test${path}`, init));
  }

  /** Answers a request for a path with the admin routes; GET unless `init` says otherwise. */
  async admin(path: string, init: RequestInit = {}): Promise<Response> {
    return await this.handleAdmin(new Request(`http://marquee.test${path}`, init));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.feed.close();
    await this.#following;
    await this.#store.close();
  }

  async #follow(): Promise<void> {
    for await (const change of this.#store.follow(this.#stop.signal)) {
      const before = this.catalogue.edition?.version;
      const { added, changed } = await this.catalogue.publish(change);
      const { version } = change;
      if (before !== undefined && version !== before) {
        this.feed.publish({ version, added, changed });
      }
      this.#moved.resolve();
      this.#moved = Promise.withResolvers();
    }
  }

  async #hasVersion(version: number): Promise<void> {
    while ((this.catalogue.edition?.version ?? -1) < version) await this.#moved.promise;
  }
}

/** Resolves when a condition holds, which must be soon. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 5_000; !condition();) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A plan that is online, with what matters to a test. */
export function planOf(planId: string, more: Partial<Plan> = {}): Plan {
  return {
    basePlanId: "1",
    planId,
    title: `Plan ${planId}`,
    sellMode: "online",
    organizerCompanyId: null,
    start: 1_600_000_000,
    end: 1_600_003_600,
    sellFrom: null,
    sellTo: null,
    soldOut: false,
    zones: [],
    ...more,
  };
}
