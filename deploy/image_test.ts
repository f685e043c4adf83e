import { assert, assertEquals } from "@std/assert";
import { documents, FOLDER } from "./testing/documents.ts";

const root = new URL("..", FOLDER);
const dockerfile = await Deno.readTextFile(new URL("Dockerfile", root));

const programs = [...new Set(dockerfile.match(/[\w/]+\.ts\b/g))];
const missing = programs.filter((path) => !exists(path));
const isLimiterMissing = missing.includes("limits/main.ts");

function exists(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, root)).isFile;
  } catch {
    return false;
  }
}

Deno.test({
  name: `the image has every program that is run in it${
    isLimiterMissing ? " (ignored: there is no limits/main.ts yet, and docker build needs it)" : ""
  }`,
  ignore: isLimiterMissing,
  async fn() {
    assertEquals(missing, []);
    const [deployment] = await documents("kubernetes/base/deployment.yaml");
    const [{ args }] = deployment.spec.template.spec.initContainers;
    const [program] = args.filter((argument: string) => argument.endsWith(".ts"));
    assert(programs.includes(program), `${program} is not cached in the image`);
  },
});

Deno.test("the image runs the Deno of the README as the user of the manifests", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const [, version] = /npx --yes deno@([\d.]+)/.exec(readme)!;
  assert(dockerfile.includes(`deno@${version}\n`), `deno@${version} in the Dockerfile`);
  const [deployment] = await documents("kubernetes/base/deployment.yaml");
  const { runAsUser, runAsGroup } = deployment.spec.template.spec.securityContext;
  assert(dockerfile.includes(`\nUSER ${runAsUser}:${runAsGroup}\n`), "USER in the Dockerfile");
});
