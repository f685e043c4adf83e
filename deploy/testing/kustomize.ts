/**
 * What kubectl makes of the kustomizations.
 *
 * @module
 */
import { assert } from "@std/assert";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { FOLDER, problemOf, run } from "./documents.ts";

/** Why nothing can be rendered here; `null` where it can. Debian 12 has a kubectl (1.20) without components. */
export const noKubectl: string | null = await problemOf(
  "kubectl",
  ["kustomize", "kubernetes/overlays/single-replica"],
  "install kubectl 1.21 or later (dl.k8s.io)",
);

/** What kustomize makes of base with components, or of an overlay. */
export async function rendered(resource: string, components: string[] = []): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const path = (name: string) =>
      relative(folder, fileURLToPath(new URL(`kubernetes/${name}`, FOLDER)));
    const kustomization = {
      resources: [path(resource)],
      components: components.map((name) => path(`components/${name}`)),
    };
    await Deno.writeTextFile(`${folder}/kustomization.yaml`, JSON.stringify(kustomization));
    const { isGood, output } = await run("kubectl", "kustomize", folder);
    assert(isGood, output);
    return output;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
