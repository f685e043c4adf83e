import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Service } from "../tests/service.ts";
import { TRANSPORTS } from "../tests/transports.ts";
import { noKubectl, rendered } from "./testing/kustomize.ts";
import { ROOT } from "./testing/image.ts";
import { assertSettings } from "./testing/settings.ts";
import {
  type Document,
  documents,
  filesUnder,
  FOLDER,
  problemOf,
  run,
  seconds,
  testUnless,
  withFile,
} from "./testing/documents.ts";

/** The oldest release with everything that the manifests use (native sidecars), and the newest whose schemas we have. */
const KUBERNETES_VERSIONS = ["1.33", "1.37"];
const PROFILE = "kubernetes/components/io-uring/marquee-io-uring.json";

const base: Document[] = [];
for await (const path of filesUnder("kubernetes/base/")) {
  if (!path.endsWith("kustomization.yaml")) base.push(...await documents(path));
}
const deployment = one("Deployment", "marquee");
const pod = deployment.spec.template.spec;
const [container] = pod.containers;
const [limiter] = pod.initContainers;
const settings: Record<string, string> = one("ConfigMap", "marquee-settings").data;

function all(kind: string): Document[] {
  return base.filter((document) => document.kind === kind);
}

function one(kind: string, name: string): Document {
  const found = all(kind).filter(({ metadata }) => metadata.name === name);
  assertEquals(found.length, 1, `${kind} ${name} in kubernetes/base`);
  return found[0];
}

const noValidator = await problemOf(
  "python3",
  ["-c", "import kubernetes_validate"],
  "pip install kubernetes-validate==1.37.0",
);
const noSeccomp = await problemOf(
  "/usr/bin/python3",
  ["testing/under_seccomp.py", "--check"],
  "apt-get install python3-seccomp",
);

/** What the schemas of a Kubernetes release say: a line for each resource. */
async function validated(manifests: string, version: string): Promise<string[]> {
  const { output } = await withFile(
    manifests,
    (path) => run("python3", "-m", "kubernetes_validate", "--strict", "-k", version, path),
  );
  return output.trim().split("\n");
}

const variants: [resource: string, components: string[]][] = [
  ["base", []],
  ["base", ["no-limiter", "io-uring"]],
  ["overlays/single-replica", []],
  ["overlays/single-replica", ["no-limiter"]],
];
for (const [resource, components] of variants) {
  const name = [resource, ...components].join(" with ");
  testUnless(
    noKubectl ?? noValidator,
    `Kubernetes ${KUBERNETES_VERSIONS.join(" and ")} take what kustomize makes of ${name}`,
    async () => {
      const manifests = await rendered(resource, components);
      const count = manifests.match(/^kind: /gm)!.length;
      assert(count > 5, manifests);
      for (const version of KUBERNETES_VERSIONS) {
        const lines = await validated(manifests, version);
        assertEquals(lines.filter((line) => !/ passed for resource /.test(line)), []);
        assertEquals(lines.length, count, "resources that were looked at");
      }
    },
  );
}

testUnless(noValidator, "the validator refuses a field that does not exist", async () => {
  const wrong = structuredClone(deployment);
  wrong.spec.template.spec.containers[0].readynessProbe = {};
  const [line] = await validated(JSON.stringify(wrong), KUBERNETES_VERSIONS[0]);
  assertStringIncludes(line, "readynessProbe");
});

testUnless(
  noKubectl,
  "a single replica has a file on a volume and nothing of several",
  async () => {
    const manifests = await rendered("overlays/single-replica");
    const kinds = [...manifests.matchAll(/^kind: (\w+)/gm)].map(([, kind]) => kind);
    assertEquals(kinds.toSorted(), [
      "ConfigMap",
      "Deployment",
      "Namespace",
      "NetworkPolicy",
      "PersistentVolumeClaim",
      "Service",
      "ServiceAccount",
    ]);
    for (const part of ["replicas: 1", "type: Recreate", "KV_PATH: /data/", "mountPath: /data"]) {
      assertStringIncludes(manifests, part);
    }
    assert(!/DENO_KV_ACCESS_TOKEN|rollingUpdate|secretKeyRef/.test(manifests), manifests);
  },
);

testUnless(noKubectl, "without the limiter the restricted standard is enforced", async () => {
  const manifests = await rendered("base", ["no-limiter"]);
  assertStringIncludes(manifests, "pod-security.kubernetes.io/enforce: restricted");
  assert(!/NET_ADMIN|name: limiter|marquee\/limiter|runAsUser: 0/.test(manifests), manifests);
  assertStringIncludes(manifests, "SHED: app");
});

Deno.test("the kustomization names every manifest beside it", async () => {
  const [{ resources }] = await documents("kubernetes/base/kustomization.yaml");
  const files: string[] = [];
  for await (const path of filesUnder("kubernetes/base/")) files.push(path.split("/").at(-1)!);
  assertEquals(
    resources.toSorted(),
    files.filter((file) => file !== "kustomization.yaml").toSorted(),
  );
});

Deno.test("every selector finds pods, and every port is one that they have", () => {
  const workloads = [...all("Deployment"), ...all("StatefulSet")];
  const templates: Document[] = workloads.map(({ spec }) => spec.template);
  const portsOf = (template: Document) =>
    [...template.spec.containers, ...template.spec.initContainers ?? []]
      .flatMap((container: Document) => container.ports);
  const find = (labels: Record<string, string>, what: string): Document => {
    const found = templates.filter(({ metadata }) =>
      Object.entries(labels).every(([name, value]) => metadata.labels[name] === value)
    );
    assertEquals(found.length, 1, `pods of ${what}: ${JSON.stringify(labels)}`);
    return found[0];
  };
  const assertPort = (template: Document, port: string | number, what: string) =>
    assert(
      portsOf(template).some(({ name, containerPort }: Document) =>
        name === port || containerPort === port
      ),
      `${what}: no port ${port}`,
    );
  for (const { kind, spec } of workloads) {
    assertEquals(find(spec.selector.matchLabels, kind), spec.template);
    for (const container of spec.template.spec.containers) {
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
        const action = container[probe]?.httpGet ?? container[probe]?.tcpSocket;
        if (action !== undefined) assertPort(spec.template, action.port, `${kind} ${probe}`);
      }
    }
  }
  for (const { metadata, spec } of all("Service")) {
    const template = find(spec.selector, `Service ${metadata.name}`);
    for (const { targetPort } of spec.ports) assertPort(template, targetPort, metadata.name);
  }
  for (const { metadata, spec } of all("NetworkPolicy")) {
    const template = find(spec.podSelector.matchLabels, `NetworkPolicy ${metadata.name}`);
    for (const { ports } of spec.ingress) {
      for (const { port } of ports) assertPort(template, port, `NetworkPolicy ${metadata.name}`);
    }
    for (const { to, ports } of spec.egress ?? []) {
      for (const { podSelector, namespaceSelector } of to) {
        if (podSelector === undefined || namespaceSelector !== undefined) continue;
        for (const { port } of ports) {
          assertPort(find(podSelector.matchLabels, metadata.name), port, metadata.name);
        }
      }
    }
  }
  const [disruption] = all("PodDisruptionBudget");
  assertEquals(find(disruption.spec.selector.matchLabels, "budget"), deployment.spec.template);
  for (const { labelSelector } of pod.topologySpreadConstraints) {
    assertEquals(find(labelSelector.matchLabels, "spread"), deployment.spec.template);
  }
  const [autoscaler] = all("HorizontalPodAutoscaler");
  assertEquals(autoscaler.spec.scaleTargetRef, {
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    name: deployment.metadata.name,
  });
});

Deno.test("the settings are ones that Marquee takes, and its store is the one beside it", () => {
  const named = container.env.map(({ name }: Document) => name)
    .filter((name: string) => name !== "DENO_KV_ACCESS_TOKEN");
  assertSettings({ ...settings, ...Object.fromEntries(named.map((name: string) => [name, "2"])) });
  const store = one("Service", new URL(settings.KV_PATH).hostname);
  assertEquals(String(store.spec.ports[0].port), new URL(settings.KV_PATH).port);
  const token = (container: Document) =>
    container.env.find(({ name }: Document) => name === "DENO_KV_ACCESS_TOKEN").valueFrom;
  assertEquals(
    token(container),
    token(one("StatefulSet", "marquee-store").spec.template.spec.containers[0]),
  );
  assertEquals(container.envFrom, [{ configMapRef: { name: "marquee-settings" } }]);
  assertEquals(pod.serviceAccountName, one("ServiceAccount", "marquee").metadata.name);
});

Deno.test("there is time for the requests in flight before a pod is killed", () => {
  const needed = seconds(settings.SHUTDOWN_TIMEOUT) + container.lifecycle.preStop.sleep.seconds;
  // Closing the store takes up to a second more, and the limiter ends after it.
  assert(pod.terminationGracePeriodSeconds >= needed + 5, `${needed} s are needed, and some more`);
});

Deno.test("no container has a capability but the limiter, which has NET_ADMIN and nothing else", () => {
  const store = one("StatefulSet", "marquee-store").spec.template.spec;
  for (const { containers, securityContext } of [pod, store]) {
    assertEquals([securityContext.runAsNonRoot, securityContext.runAsUser], [true, 10001]);
    assertEquals(securityContext.seccompProfile, { type: "RuntimeDefault" });
    for (const { securityContext } of containers) {
      assertEquals(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  }
  assertEquals(pod.initContainers.length, 1);
  assertEquals(limiter.restartPolicy, "Always", "a native sidecar");
  assertEquals(limiter.securityContext, {
    runAsNonRoot: false,
    runAsUser: 0,
    runAsGroup: 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
  });
  assertEquals([pod, store].map((spec) => spec.automountServiceAccountToken), [false, false]);
  for (const forbidden of ["hostNetwork", "hostPID", "hostIPC"]) {
    assertEquals(pod[forbidden], undefined);
  }
});

Deno.test("the limiter takes the settings, and guards the public port where the service does not", async () => {
  assertEquals(settings.SHED, "none");
  assertEquals(settings.CONNECTION_LIMIT, settings.CONNECTION_LIMIT_MAXIMUM);
  assertEquals(limiter.envFrom, container.envFrom);
  const own = limiter.env.map(({ name, value }: Document) => [name, value]);
  const command = limiter.args.with(-1, "print").slice(limiter.args.indexOf("limits/main.ts") + 1);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-env", "limits/main.ts", ...command],
    cwd: ROOT,
    env: { ...settings, ...Object.fromEntries(own) },
  }).output();
  const rules = new TextDecoder().decode(stdout);
  const port = (wanted: string): number =>
    container.ports.find(({ name }: Document) => name === wanted).containerPort;
  assertStringIncludes(rules, `table inet marquee_${port("http")} {`);
  const limits = [...rules.matchAll(/ct count over (\d+) /g)].map(([, limit]) => Number(limit));
  assertEquals(Math.min(...limits), Number(settings.CONNECTION_LIMIT_MINIMUM));
  assertEquals(Math.max(...limits), Number(settings.CONNECTION_LIMIT_MAXIMUM));
  // With two the limit would jump from one end to the other.
  assert(new Set(limits).size > 2, `${limits}`);
});

Deno.test("every probe is answered by the service, and takes no place of the public port", async () => {
  await using service = await Service.start();
  for (const name of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { path, port } = container[name].httpGet;
    assertEquals(port, "admin", name);
    const response = await fetch(service.adminUrl + path);
    await response.body?.cancel();
    assertEquals(response.status, 200, `${name}: ${path}`);
  }
});

for (const { transport, problem } of TRANSPORTS) {
  testUnless(
    problem ?? noSeccomp,
    `${transport}: the service runs under the seccomp profile, from start to stop`,
    async () => {
      const profile = fileURLToPath(new URL(PROFILE, FOLDER));
      const wrapper = fileURLToPath(new URL("testing/under_seccomp.py", FOLDER));
      const folder = await Deno.makeTempDir();
      try {
        await using service = await Service.start({
          settings: { TRANSPORT: transport, KV_PATH: `${folder}/marquee.kv` },
          wrapper: ["/usr/bin/python3", wrapper, profile],
        });
        const found = await (await fetch(`${service.url}/search?limit=1`)).json();
        assertEquals(found.error, null);
        const polled = await fetch(`${service.adminUrl}/poll`, { method: "POST" });
        assertEquals((await polled.json()).data.polls.length, 1);
        assertEquals((await service.stop()).code, 0);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  );
}

testUnless(
  noSeccomp,
  "the seccomp profile lets a shell run, and forbids namespaces and mounts",
  async () => {
    const under = (...command: string[]) =>
      run("/usr/bin/python3", "testing/under_seccomp.py", PROFILE, ...command);
    assertEquals(await under("sh", "-c", "echo $(echo ran)"), { isGood: true, output: "ran\n" });
    for (const forbidden of ["unshare --user true", "mount --bind / /mnt"]) {
      const { isGood, output } = await under(...forbidden.split(" "));
      assert(!isGood, `${forbidden} worked`);
      assert(/not permitted|permission denied/i.test(output), output);
    }
  },
);
