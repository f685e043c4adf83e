import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Service } from "../tests/service.ts";
import { adapter, asSent, dashboard, panels, rules, targets } from "./testing/monitoring.ts";
import {
  type Document,
  documents,
  filesUnder,
  FOLDER,
  problemOf,
  run,
  testUnless,
  withFile,
} from "./testing/documents.ts";

/** What Prometheus itself says of each target. */
const OF_PROMETHEUS = ["up"];

const noPromtool = await problemOf("promtool", ["--version"], "apt-get install prometheus");

/** The metrics that an expression of PromQL asks for: whatever stands before braces. */
function metricsOf(expression: string): string[] {
  return [...expression.matchAll(/([a-z_]\w*)\{/g)].map(([, name]) => name);
}

Deno.test("every file is well-formed", async () => {
  let count = 0;
  for await (const path of filesUnder("")) {
    if (!path.endsWith(".yaml")) continue;
    assert((await documents(path)).every((document) => document !== null), path);
    count++;
  }
  assert(count > 15);
});

Deno.test("every metric that is asked for is one that the service or the limiter exports", async () => {
  // Where the service finds the limit itself, it has the limiter's metrics too.
  await using service = await Service.start({
    settings: { SHED: "app", CONNECTION_LIMIT: "auto" },
  });
  const text = await (await fetch(`${service.adminUrl}/metrics`)).text();
  const exported = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
  const known = new Set([...exported, ...OF_PROMETHEUS]);
  const expressions: string[] = [
    ...rules.map(({ expr }) => expr),
    ...targets.map(({ expr }) => expr),
    ...dashboard.annotations.list.map(({ expr }: Document) => expr),
    ...adapter.rules.custom.map(({ seriesQuery }: Document) => seriesQuery),
  ];
  const asked = expressions.flatMap((expression) => {
    const names = metricsOf(expression);
    assert(names.length > 0, `no metric in ${expression}`);
    return names;
  });
  const unknown = asked.filter((name) =>
    !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, ""))
  );
  assertEquals(unknown, []);
  const forgotten = exported.filter((name) =>
    /^(http_scaling|worker_pool|rate_limited)_/.test(name)
  )
    .filter((name) => !asked.includes(name));
  assertEquals(forgotten, [], "neither an alert nor the dashboard shows these");
});

Deno.test("the autoscaler goes by a metric that prometheus-adapter makes of Prometheus's", async () => {
  const [autoscaler] = await documents("kubernetes/base/horizontal-pod-autoscaler.yaml");
  const [rule] = adapter.rules.custom;
  const [{ pods }] = autoscaler.spec.metrics;
  assertEquals(metricsOf(rule.seriesQuery), [pods.metric.name]);
  // The labels that the rule maps to resources are those that the scrape gives each series.
  const [{ scrape_configs: [scrape] }] = await documents("prometheus/prometheus-kubernetes.yaml");
  assertStringIncludes(rule.seriesQuery, `job="${scrape.job_name}"`);
  const given = scrape.relabel_configs.map((relabel: Document) => relabel.target_label);
  for (const label of Object.keys(rule.resources.overrides)) assert(given.includes(label), label);
});

testUnless(noPromtool, "promtool takes the alerts and the configurations", async () => {
  for (
    const [what, path] of [
      ["rules", "alerts"],
      ["config", "prometheus"],
      ["config", "prometheus-limiter"],
    ]
  ) {
    const { isGood, output } = await run("promtool", "check", what, `prometheus/${path}.yaml`);
    assert(isGood, output);
    assertStringIncludes(output, "SUCCESS");
  }
  // Debian's promtool is built without Kubernetes: the rest of the file is checked without that line.
  const path = "prometheus/prometheus-kubernetes.yaml";
  const text = await Deno.readTextFile(new URL(path, FOLDER));
  const rest = text.replace(/kubernetes_sd_configs:\n *- role: pod\n/, "static_configs: []\n")
    .replace("[alerts.yaml]", "[]");
  assert(!rest.includes("kubernetes_sd"), rest);
  const { isGood, output } = await withFile(
    rest,
    (file) => run("promtool", "check", "config", file),
  );
  assert(isGood, output);
});

testUnless(noPromtool, "every alert fires when it should, and not otherwise", async () => {
  const { isGood, output } = await run("promtool", "test", "rules", "prometheus/alerts_test.yaml");
  assert(isGood, output);
  const [{ tests }] = await documents("prometheus/alerts_test.yaml");
  const checks: Document[] = tests.flatMap((one: Document) => one.alert_rule_test);
  for (const { alert } of rules) {
    const own = checks.filter(({ alertname }) => alertname === alert);
    assert(own.some(({ exp_alerts }) => exp_alerts?.length > 0), `${alert}: never fires in a test`);
  }
});

testUnless(
  noPromtool,
  "every expression of the dashboard is one that Prometheus takes",
  async () => {
    const group = {
      name: "dashboard",
      rules: targets.map(({ expr }, index) => ({ record: `panel:${index}`, expr: asSent(expr) })),
    };
    const { isGood, output } = await withFile(
      JSON.stringify({ groups: [group] }),
      (path) => run("promtool", "check", "rules", path),
    );
    assert(isGood, output);
  },
);

Deno.test("every alert has its paragraph in deploy/README.md, and says what is wrong", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", FOLDER));
  for (const { alert, labels, annotations } of rules) {
    assert(["critical", "warning", "info"].includes(labels.severity), alert);
    assert(annotations.summary !== "" && annotations.description !== "", alert);
    assertEquals(annotations.runbook, `deploy/README.md#${alert.toLowerCase()}`);
    const paragraph = readme.split(`\n#### ${alert}\n`)[1]?.split("\n#")[0].trim() ?? "";
    assert(paragraph.length > 80, `deploy/README.md has nothing under "#### ${alert}"`);
  }
});

Deno.test("the alert of memory goes by the limit of the container", async () => {
  const [deployment] = await documents("kubernetes/base/deployment.yaml");
  const { limits } = deployment.spec.template.spec.containers[0].resources;
  assertEquals(limits.memory, "1Gi");
  const { expr } = rules.find(({ alert }) => alert === "MarqueeMemory");
  assertStringIncludes(expr, `* ${2 ** 30}`);
});

Deno.test("the dashboard shows each panel in a place of its own, from the data source beside it", async () => {
  const [{ datasources: [source] }] = await documents("compose/grafana/datasources.yaml");
  const placed = new Map<string, string>();
  for (const { title, gridPos: { x, y, w, h }, datasource } of panels) {
    assertEquals(datasource, { type: source.type, uid: source.uid }, title);
    assert(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const place = `${column},${line}`;
        assertEquals(placed.get(place), undefined, `${title} lies on another panel`);
        placed.set(place, title);
      }
    }
  }
  assertEquals(
    new Set(dashboard.panels.map(({ id }: Document) => id)).size,
    dashboard.panels.length,
  );
  const [{ scrape_configs: [scrape] }] = await documents("prometheus/prometheus.yaml");
  for (const { expr } of [...targets, ...rules]) {
    assertStringIncludes(expr, `job="${scrape.job_name}"`);
  }
  const [compose] = await documents("compose/compose.yaml");
  assert(scrape.static_configs[0].targets[0].split(":")[0] in compose.services);
});
