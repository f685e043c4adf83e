import { type Builder, BuilderThread, EditionBuilder, type MemorySource } from "./catalogue/mod.ts";
import type { SellModePolicy } from "./domain/mod.ts";

/**
 * Starts what builds the catalogue's editions: a thread of its own, or this one where a host has no threads, or where
 * the thread's module is not at hand (a bundle).
 *
 * @returns A function that starts a builder, again after one failed
 */
export function builderStarter(policy: SellModePolicy, source: MemorySource): () => Builder {
  let hasFailed = false;
  return () => {
    if (hasFailed) return new EditionBuilder({ policy, source });
    // Counts as failed until the next start is asked for, which is only done after a failure.
    hasFailed = true;
    try {
      const url = new URL("./catalogue_worker.ts", import.meta.url);
      return new BuilderThread(new Worker(url, { type: "module", name: "catalogue" }), policy);
    } catch {
      return new EditionBuilder({ policy, source });
    }
  };
}
