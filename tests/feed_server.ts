/**
 * A provider under the test's control: a real HTTP server that answers with the feed that the test sets.
 *
 * @module
 */

/** How a provider answers a request for its feed. */
export type Responder = (request: Request) => Response | Promise<Response>;

/** A provider that listens. */
export class FeedServer implements AsyncDisposable {
  /** The address of the feed. */
  readonly url: string;
  /** What is answered with 200; used unless `respond` is set. */
  xml: string = feed([]);
  /** Answers in place of `xml`. */
  respond: Responder | null = null;
  /** The headers of every request so far. */
  readonly requests: Headers[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();

  /** @param port 0 for any free one */
  constructor(port = 0) {
    const { signal } = this.#stop;
    this.#server = Deno.serve(
      { port, hostname: "127.0.0.1", signal, onListen() {} },
      (request) => {
        this.requests.push(request.headers);
        return this.respond === null ? xmlResponse(this.xml) : this.respond(request);
      },
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}/feed`;
  }

  /** Aborts when the server is to end; what answers slowly should end with it. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Never answers; the client has to give up. */
  hang(): Promise<Response> {
    return new Promise((resolve) => {
      this.signal.addEventListener("abort", () => resolve(new Response(null, { status: 503 })));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
  }
}

/** A 200 with a feed. */
export function xmlResponse(body: BodyInit, headers: Record<string, string> = {}): Response {
  return new Response(body, { headers: { "content-type": "application/xml", ...headers } });
}

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** One XML element; attributes that are undefined are left out. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes).filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escape(String(value))}"`).join("");
  return children.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>${children.join("")}</${name}>`;
}

/** A zone of a plan. */
export function zone(price: number | string, more: Attributes = {}): string {
  return element("zone", {
    zone_id: "40",
    capacity: 100,
    price,
    name: "Pit",
    numbered: true,
    ...more,
  });
}

/** A plan of a base plan; its times as the feed writes them. */
export function plan(
  id: string | undefined,
  start: string | undefined,
  end: string | undefined,
  zones: string[] = [],
  more: Attributes = {},
): string {
  return element("plan", {
    plan_start_date: start,
    plan_end_date: end,
    plan_id: id,
    sell_from: "2020-07-01T00:00:00",
    sell_to: "2021-06-30T20:00:00",
    sold_out: false,
    ...more,
  }, ...zones);
}

/** A base plan with its plans. */
export function basePlan(
  id: string | undefined,
  title: string,
  plans: string[],
  more: Attributes = {},
): string {
  return element("base_plan", { base_plan_id: id, sell_mode: "online", title, ...more }, ...plans);
}

/** A feed of base plans. */
export function feed(basePlans: string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<planList version="1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="planList.xsd">
<output>${basePlans.join("\n")}</output></planList>`;
}

/** The same feed in its older vocabulary. */
export function olderVocabulary(xml: string): string {
  return xml.replaceAll("planList", "eventList").replaceAll(/(<\/?base_)plan\b/g, "$1event")
    .replaceAll(/(<\/?)plan\b/g, "$1event").replaceAll(
      / (base_)?plan_(id|start_date|end_date)=/g,
      " $1event_$2=",
    );
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
