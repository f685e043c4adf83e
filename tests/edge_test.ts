import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { rawRequest } from "./raw_http.ts";
import { Service } from "./service.ts";
import { eventually, searchFor, versionOf } from "./target.ts";

/** All that an edge host allows. */
const permissions = ["--allow-net", "--allow-env"];

/** Deno's own folder with its downloads, but with storage of its own, so that the default KV is a new one. */
async function makeDenoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config"],
  }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  const folder = await Deno.makeTempDir();
  for await (const { name } of Deno.readDir(denoDir)) {
    if (["npm", "remote", "gen", "registries"].includes(name)) {
      await Deno.symlink(`${denoDir}/${name}`, `${folder}/${name}`);
    }
  }
  return folder;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

Deno.test("on an edge host it searches, with one port, no files, and the host's own KV", async () => {
  const denoDir = await makeDenoDir();
  const settings = { DENO_DIR: denoDir, KV_PATH: "", ADMIN_TOKEN: "s3cret" };
  let version: number;
  {
    await using service = await Service.start({ permissions, settings });
    assertEquals(service.adminUrl, null);
    await eventually(async () => (await searchFor(service.url)).length > 0, "events");
    version = await versionOf(service.url);
    const event = (await searchFor(service.url))[0];
    assertEquals((await fetch(`${service.url}/events/${event.id}`)).status, 200);
    assertEquals((await fetch(`${service.url}/ready`)).status, 200);
    assertEquals((await fetch(`${service.url}/docs`)).status, 200);

    const headers = { authorization: "Bearer s3cret" };
    for (const path of ["/metrics", "/stats", "/polls", "/rejected"]) {
      assertEquals((await rawRequest(service.url, "GET", path, headers)).status, 404, path);
      assertEquals((await rawRequest(service.url, "GET", `/admin${path}`)).status, 401, path);
      const wrong = { authorization: "Bearer guess" };
      assertEquals(
        (await rawRequest(service.url, "GET", `/admin${path}`, wrong)).status,
        401,
        path,
      );
      const { status, text } = await rawRequest(service.url, "GET", `/admin${path}`, headers);
      assertEquals(status, 200, path);
      assertGreater(text.length, 10);
    }
    const metrics = (await rawRequest(service.url, "GET", "/admin/metrics", headers)).text;
    assertStringIncludes(metrics, "\ncatalogue_events ");
    const post = { ...headers, "content-length": "0" };
    const poll = await rawRequest(service.url, "POST", "/admin/poll", post);
    assertEquals(poll.status, 200);
    assertEquals(JSON.parse(poll.text).data.polls[0].error, null);
    const unauthorized = await rawRequest(service.url, "POST", "/admin/poll", {
      "content-length": "0",
    });
    assertEquals(unauthorized.status, 401);
    const document = await (await fetch(`${service.url}/openapi.json`)).json();
    assertEquals(Object.keys(document.paths).filter((path) => path.startsWith("/admin")), []);

    const warning = await service.line(
      ({ message }) => message.startsWith("Edge host"),
      "what it is",
    );
    assertEquals(warning.level, "warning");
    assertEquals(await namesIn(service.folder), [], "it has written where it runs");
    assertEquals((await service.stop()).code, 0);
  }
  assert((await namesIn(denoDir)).includes("location_data"), "the default KV is not used");
  {
    await using service = await Service.start({ permissions, settings });
    const loaded = await service.line(
      ({ message }) => message.startsWith("Loaded "),
      "what it loaded",
    );
    assertEquals([Number(loaded.events) > 0, loaded.version], [true, version]);
    assertEquals((await service.stop()).code, 0);
  }
  await Deno.remove(denoDir, { recursive: true });
});

Deno.test("on an edge host without a token there is no admin route at all", async () => {
  const denoDir = await makeDenoDir();
  await using service = await Service.start({
    permissions,
    settings: { DENO_DIR: denoDir, KV_PATH: "" },
  });
  for (const path of ["/admin", "/admin/metrics", "/admin/stats", "/metrics"]) {
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer null" }]) {
      const given = Object.fromEntries(Object.entries(headers));
      assertEquals((await rawRequest(service.url, "GET", path, given)).status, 404, path);
    }
  }
  for (const path of ["/admin/poll", "/admin/profile"]) {
    const { status } = await rawRequest(service.url, "POST", path, { "content-length": "0" });
    assertEquals(status, 404, path);
  }
  assertEquals((await rawRequest(service.url, "GET", "/search")).status, 200);
  await service.stop();
  await Deno.remove(denoDir, { recursive: true });
});

Deno.test("DENO_DEPLOYMENT_ID makes it an edge host though it may write files", async () => {
  const denoDir = await makeDenoDir();
  await using service = await Service.start({
    settings: { DENO_DIR: denoDir, KV_PATH: "", DENO_DEPLOYMENT_ID: "abc123" },
  });
  assertEquals(service.adminUrl, null);
  await eventually(async () => (await searchFor(service.url)).length > 0, "events");
  assertEquals(await namesIn(service.folder), []);
  await service.stop();
  await Deno.remove(denoDir, { recursive: true });
});
