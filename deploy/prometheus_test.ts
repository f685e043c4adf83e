/** The service, the limiter and a Prometheus as the image and the manifests start them, in a network namespace. */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { NetworkNamespace, networkNamespaceProblem } from "../limits/testing/network_namespaces.ts";
import {
  type Document,
  documents,
  FOLDER,
  parseDocuments,
  problemOf,
  testUnless,
} from "./testing/documents.ts";
import { entrypoint, imageEnvironment, ROOT } from "./testing/image.ts";
import { noKubectl, rendered } from "./testing/kustomize.ts";
import { adapter, asSent, targets } from "./testing/monitoring.ts";

const root = fileURLToPath(ROOT);
const POD = "marquee-1";
/** Root with NET_ADMIN and no way to more, as the limiter's securityContext says. */
const AS_IN_POD = [
  ...["setpriv", "--no-new-privs", "--bounding-set=-all,+net_admin"],
  "--inh-caps=-all,+net_admin",
];
/** The longest that the parts may take to start and to be scraped, in milliseconds. */
const WAIT_MS_MAX = 60_000;
/** Metrics of a limit that is moved, of which a service with a fixed limit has none. */
const OF_LIMITER = /connection_limiter_/;
/** A counter with a label that nothing has counted yet has no series. */
const OF_FAILURES = /connection_limiter_failures_total/;

const problem = noKubectl ?? await networkNamespaceProblem() ??
  await problemOf("prometheus", ["--version"], "apt-get install prometheus");

const variants = [
  { components: [], keeper: "limiter", compose: "prometheus-limiter" },
  { components: ["no-limiter"], keeper: "marquee", compose: "prometheus" },
];
for (const { components, keeper, compose } of variants) {
  testUnless(
    problem,
    `${
      ["base", ...components].join(" with ")
    }: one series an instance says how full it is, and every panel has data`,
    async () => {
      const manifests = parseDocuments(await rendered("base", components));
      const find = (wanted: string) => manifests.find(({ kind }) => kind === wanted);
      const { metadata, spec } = find("Deployment").spec.template;
      const settings: Record<string, string> = find("ConfigMap").data;
      const [marquee] = spec.containers;
      const [limiter] = spec.initContainers ?? [];
      await using stack = await Stack.make();
      const [, ...flags] = entrypoint;
      stack.start(
        "marquee",
        [Deno.execPath(), ...flags.map((flag) => stack.path(flag))],
        { ...imageEnvironment, ...settings, KV_PATH: `${stack.folder}/marquee.kv`, WORKERS: "2" },
      );
      if (limiter !== undefined) {
        const own = limiter.env.map(({ name, value }: Document) => [name, value]);
        stack.start(
          "limiter",
          [
            ...AS_IN_POD,
            ...[Deno.execPath(), ...limiter.command.slice(1), ...limiter.args].map(stack.path),
          ],
          { ...imageEnvironment, ...settings, ...Object.fromEntries(own), LIMIT_PERIOD: "1s" },
        );
      }

      // In the pod's network, at the addresses that Kubernetes and Compose would give.
      const [cluster] = await documents("prometheus/prometheus-kubernetes.yaml");
      const [scrape] = cluster.scrape_configs;
      delete scrape.kubernetes_sd_configs;
      scrape.static_configs = discovered(metadata, [
        marquee,
        ...limiter === undefined ? [] : [limiter],
      ]);
      const [single] = await documents(`prometheus/${compose}.yaml`);
      for (const one of single.scrape_configs[0].static_configs) {
        one.targets = one.targets.map((target: string) => target.replace("marquee:", "127.0.0.1:"));
      }
      const prometheuses = [
        { name: "kubernetes", port: 9190, config: cluster, instance: POD },
        { name: "compose", port: 9191, config: single, instance: "marquee" },
      ];
      for (const { name, port, config } of prometheuses) await stack.prometheus(name, port, config);

      for (const { name, port, instance } of prometheuses) {
        // Everything that a panel asks for.
        const wanted = new Set(
          targets.map(({ expr }) => asSent(expr))
            .filter((expr) => !(limiter === undefined ? OF_LIMITER : OF_FAILURES).test(expr)),
        );
        const deadline = performance.now() + WAIT_MS_MAX;
        while (wanted.size > 0) {
          assert(performance.now() < deadline, `${name}: no data for\n${[...wanted].join("\n")}`);
          await stack.requests(200);
          for (const expr of wanted) {
            if ((await stack.query(port, expr)).length > 0) wanted.delete(expr);
          }
        }
        const scaling = await stack.query(port, '{__name__=~"http_scaling_.*"}');
        assertEquals(
          scaling.map(({ metric }) => metric.__name__).toSorted(),
          [...new Set(scaling.map(({ metric }) => metric.__name__))].toSorted(),
          "one series of each",
        );
        assertEquals(scaling.length, 5);
        for (const { metric } of scaling) {
          const { job, instance: found, container } = metric;
          assertEquals([job, found, container], ["marquee", instance, keeper], metric.__name__);
        }
        const up = await stack.query(port, 'up{job="marquee"} == 1');
        assertEquals(
          up.map(({ metric }) => metric.container).toSorted(),
          limiter === undefined ? ["marquee"] : ["limiter", "marquee"],
        );
        const fired = await stack.query(port, 'ALERTS{alertstate="firing"}');
        assertEquals(fired.map(({ metric }) => metric.alertname), []);
        if (name !== "kubernetes") continue;
        const [{ metricsQuery, seriesQuery }] = adapter.rules.custom;
        assertEquals((await stack.query(port, seriesQuery)).length, 1);
        const values = await stack.query(
          port,
          metricsQuery.replaceAll("<<.Series>>", "http_scaling_saturation_ratio")
            .replaceAll("<<.LabelMatchers>>", `namespace="marquee",pod=~"${POD}"`)
            .replaceAll("<<.GroupBy>>", "pod"),
        );
        assertEquals(values.map(({ metric }) => metric), [{ pod: POD }]);
      }
    },
  );
}

/** What Kubernetes tells Prometheus of a pod with these containers, as labels of targets. */
function discovered(metadata: Document, containers: Document[]): Document[] {
  const plain = (name: string) => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
  const ofPod: Record<string, string> = {
    namespace: "marquee",
    pod_name: POD,
    pod_phase: "Running",
  };
  for (const [name, value] of Object.entries<string>(metadata.labels)) {
    ofPod[`pod_label_${plain(name)}`] = value;
  }
  for (const [name, value] of Object.entries<string>(metadata.annotations)) {
    ofPod[`pod_annotation_${plain(name)}`] = value;
  }
  return containers.flatMap((container) =>
    container.ports.map(({ name, containerPort }: Document) => ({
      targets: [`127.0.0.1:${containerPort}`],
      labels: Object.fromEntries(
        Object.entries({
          ...ofPod,
          pod_container_name: container.name,
          pod_container_port_name: name,
        }).map(([key, value]) => [`__meta_kubernetes_${key}`, value]),
      ),
    }))
  );
}

/** One sample of an answer of Prometheus. */
interface Sample {
  metric: Record<string, string>;
}

/** Processes in a network namespace, with their files in a folder; all of it goes with it. */
class Stack implements AsyncDisposable {
  readonly folder: string;
  readonly #namespace: NetworkNamespace;
  readonly #children: Deno.ChildProcess[] = [];

  private constructor(namespace: NetworkNamespace, folder: string) {
    this.#namespace = namespace;
    this.folder = folder;
    this.path = this.path.bind(this);
  }

  static async make(): Promise<Stack> {
    return new Stack(await NetworkNamespace.make(), await Deno.makeTempDir());
  }

  /** An argument of the image's, for this machine. */
  path(argument: string): string {
    if (argument.endsWith(".ts")) return root + argument;
    if (!/^--allow-(read|write)=/.test(argument)) return argument;
    return argument.replace("/app", root).replace("/data", this.folder);
  }

  /** Starts a program with nothing but these variables in its environment; what it writes goes to a file. */
  start(name: string, command: string[], environment: Record<string, string>): void {
    const { DENO_DIR: _, ...given } = environment;
    const variables = { ...given, PATH: Deno.env.get("PATH")!, HOME: Deno.env.get("HOME")! };
    this.#children.push(this.#namespace.spawn("sh", [
      ...["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", `${this.folder}/${name}.log`],
      ...["env", "-i", ...Object.entries(variables).map(([key, value]) => `${key}=${value}`)],
      ...command,
    ]));
  }

  /** Starts a Prometheus that looks every second. */
  async prometheus(name: string, port: number, config: Document): Promise<void> {
    const file = `${this.folder}/${name}.yaml`;
    const global = { scrape_interval: "1s", evaluation_interval: "1s" };
    const rule_files = [fileURLToPath(new URL("prometheus/alerts.yaml", FOLDER))];
    await Deno.writeTextFile(file, JSON.stringify({ ...config, global, rule_files }));
    this.start(name, [
      ...["prometheus", `--config.file=${file}`, `--storage.tsdb.path=${this.folder}/${name}`],
      `--web.listen-address=127.0.0.1:${port}`,
    ], {});
  }

  /** Asks for events, as often as this; a service that is not there yet is no error. */
  async requests(count: number): Promise<void> {
    const url = `http://127.0.0.1:8080/search?limit=[1-${count}]`;
    await this.#namespace.run("sh", ["-c", 'curl -s -o /dev/null "$1" || sleep 0.5', "sh", url]);
  }

  /** What Prometheus answers; nothing while it starts. */
  async query(port: number, expression: string): Promise<Sample[]> {
    const url = `http://127.0.0.1:${port}/api/v1/query`;
    const text = await this.#namespace.run("sh", [
      ...["-c", 'curl -s -G --data-urlencode "query=$2" "$1" || true', "sh", url, expression],
    ]);
    if (!text.startsWith("{")) return [];
    const { status, data, error } = JSON.parse(text);
    assertEquals(status, "success", `${expression}: ${error}`);
    return data.result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.stdout.cancel();
      await child.status;
    }
    await this.#namespace[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
