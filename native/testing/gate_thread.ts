/**
 * A gate for gate_test.ts: it lets a client's first requests through, and tells how often it was asked.
 *
 * @module
 */
import { HeadTemplate, listenerThread } from "../mod.ts";

/** Requests of one client that are let through. */
const ALLOWED = 3;

listenerThread(({ data, tell }) => {
  const { identifies } = data as { identifies: boolean };
  const ok = new HeadTemplate(200, "OK", { "content-type": "text/plain" });
  const refusal = new HeadTemplate(429, "Too Many Requests", { "retry-after": "1" });
  const clients: string[] = [""];
  const asked: number[] = [0];
  return {
    routes: [{
      path: "/fast",
      answer(_request, answer) {
        answer.begin(ok);
        answer.endHead(4);
        answer.writeText("fast");
        return true;
      },
    }],
    gate: {
      identify: identifies
        ? (hostname) => {
          const known = clients.indexOf(hostname);
          if (known >= 0) return known;
          asked.push(0);
          return clients.push(hostname) - 1;
        }
        : undefined,
      admits(request, client) {
        const target = request.text(request.targetStart, request.targetEnd);
        tell(`${clients[client]} ${target}`);
        return ++asked[client] <= ALLOWED;
      },
      refuse(_request, answer) {
        answer.begin(refusal);
        answer.endHead(4);
        answer.writeText("wait");
      },
    },
  };
});
