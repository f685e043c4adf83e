import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Route, route, routeLinear, routeRadix } from "@std/http/unstable-route";

const ROUTES: Route[] = [
  {
    pattern: new URLPattern({ pathname: "/events/stream" }),
    method: "GET",
    handler: () => new Response("stream"),
  },
  {
    pattern: new URLPattern({ pathname: "/events/:id" }),
    method: ["get", "HEAD"],
    handler: (_request, params) => new Response(`event ${params.pathname.groups.id}`),
  },
  { pattern: new URLPattern({ pathname: "/any" }), handler: ({ method }) => new Response(method) },
  {
    pattern: new URLPattern({ pathname: "/*" }),
    method: "POST",
    handler: () => new Response("posted"),
  },
];

const cases: [method: string, path: string, answer: string][] = [
  ["GET", "/events/stream", "stream"],
  ["HEAD", "/events/stream", "event stream"],
  ["GET", "/events/7?x=/any#y", "event 7"],
  ["GET", "/events/7/", "none"],
  ["GET", "/events/", "none"],
  ["POST", "/events/7", "posted"],
  ["DELETE", "/events/7", "none"],
  ["PUT", "/any", "PUT"],
  ["GET", "/any", "GET"],
];

for (const [name, make] of Object.entries({ route, routeLinear, routeRadix })) {
  Deno.test(`${name} takes the first route whose method and pattern fit, or the default`, async () => {
    const handle = make(ROUTES, () => new Response("none"));
    for (const [method, path, answer] of cases) {
      const response = await handle(new Request(`http://localhost${path}`, { method }));
      assertEquals(await response.text(), answer, `${method} ${path}`);
    }
  });
}

Deno.test("route hands the request and its connection on, to a route and to the default", async () => {
  const request = new Request("http://localhost/a");
  const info = { remoteAddr: {}, completed: Promise.resolve() } as unknown as Deno.ServeHandlerInfo;
  const seen: unknown[] = [];
  const pattern = new URLPattern({ pathname: "/a" });
  const handler: Route["handler"] = (request, _params, info) => {
    seen.push(request, info);
    return new Response();
  };
  await route([{ pattern, handler }], () => new Response())(request, info);
  await route([], (request, info) => {
    seen.push(request, info);
    return new Response();
  })(request, info);
  assertEquals(seen.length, 4);
  [request, info, request, info].forEach((value, index) => assertStrictEquals(seen[index], value));
});
