import { assert, assertEquals } from "@std/assert";
import { Service } from "../tests/service.ts";
import { documents } from "./testing/documents.ts";
import { dockerfile, entrypoint, healthcheck, imageEnvironment, ROOT } from "./testing/image.ts";
import { assertSettings } from "./testing/settings.ts";

const [deployment] = await documents("kubernetes/base/deployment.yaml");
const pod = deployment.spec.template.spec;

Deno.test("the image has every program that is run in it", async () => {
  const programs = [...new Set(dockerfile.match(/[\w/]+\.ts\b/g))];
  for (const path of programs) assert((await Deno.stat(new URL(path, ROOT))).isFile, path);
  const cached = /deno cache --frozen (.*?) *\\\n/.exec(dockerfile)![1].split(" ");
  const [limiter] = pod.initContainers[0].args.filter((one: string) => one.endsWith(".ts"));
  const workers: string[] = [];
  for await (const { name } of Deno.readDir(ROOT)) {
    if (name.endsWith("_worker.ts")) workers.push(name);
  }
  assertEquals(cached.toSorted(), [limiter, entrypoint.at(-1), ...workers].toSorted());
});

Deno.test("the image runs the Deno of the README as the user of the manifests", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const [, version] = /npx --yes deno@([\d.]+)/.exec(readme)!;
  assert(dockerfile.includes(`deno@${version}\n`), `deno@${version} in the Dockerfile`);
  const { runAsUser, runAsGroup } = pod.securityContext;
  assert(dockerfile.includes(`\nUSER ${runAsUser}:${runAsGroup}\n`), "USER in the Dockerfile");
});

Deno.test("the image's settings are ones that Marquee and the limiter take", () => {
  const { DENO_DIR: _, DENO_NO_UPDATE_CHECK: __, LIMITER_METRICS_HOST, ...settings } =
    imageEnvironment;
  assertSettings(settings);
  // Prometheus comes from outside the container.
  assertEquals([settings.ADMIN_HOST, LIMITER_METRICS_HOST], ["0.0.0.0", "0.0.0.0"]);
});

Deno.test("the health check passes while the service is full, and fails once it is gone", async () => {
  await using service = await Service.start({ settings: { SHED: "app", CONNECTION_LIMIT: "1" } });
  const check = async () => {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: healthcheck.slice(1),
      env: { ADMIN_PORT: new URL(service.adminUrl!).port },
      stdout: "null",
      stderr: "null",
    }).output();
    return code;
  };
  const port = Number(new URL(service.url).port);
  using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const status = async (url: string) => {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status;
  };
  const deadline = performance.now() + 10_000;
  while (await status(`${service.adminUrl}/ready`) !== 503) {
    assert(
      performance.now() < deadline,
      "a service with as many connections as its limit is ready",
    );
  }
  assertEquals(await check(), 0);
  await service.stop();
  assertEquals(await check(), 1);
});
