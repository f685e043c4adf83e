import { LOCK_WAIT_MAX_MS, RETRY_PAUSE_MAX_MS, RETRY_PAUSE_MS, TRIES_MAX } from "./limits.ts";

/** What went wrong with the store. */
export type StoreErrorCode = "store_locked" | "store_full" | "store_failed" | "lease_lost";

/** An operation that the store refused, after as many tries as make sense. The message names the remedy. */
export class StoreError extends Error {
  override name = "StoreError";
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Runs an operation of Deno KV, again when it fails for a reason that passes: "database is locked", a lost
 * connection. A lock is waited for by time, since whoever holds it may hold it for many tries; a full disk is tried
 * less long, since space seldom returns within a second.
 *
 * @throws {StoreError} When the tries are used up
 */
export async function retrying<T>(what: string, operation: () => Promise<T>): Promise<T> {
  const lockedUntil = performance.now() + LOCK_WAIT_MAX_MS;
  for (let attempt = 1;; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const cause = error as Error;
      const code = storeErrorCode(cause);
      const isOver = code === "store_locked"
        ? performance.now() > lockedUntil
        : attempt >= (code === "store_full" ? 3 : TRIES_MAX);
      if (isOver || isFinal(cause)) {
        throw new StoreError(code, `${what}: ${cause.message}${remedies[code] ?? ""}`, { cause });
      }
      const pause = Math.min(RETRY_PAUSE_MS * 2 ** (attempt - 1), RETRY_PAUSE_MAX_MS);
      await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)));
    }
  }
}

const remedies: Partial<Record<StoreErrorCode, string>> = {
  store_locked:
    " (another process writes to this SQLite file: give each its own KV_PATH, or use a KV Connect server)",
  store_full: " (free space where KV_PATH lies; searches go on, the next poll tries again)",
};

function storeErrorCode(error: Error): StoreErrorCode {
  if (/database is locked/.test(error.message)) return "store_locked";
  if (/disk is full/.test(error.message)) return "store_full";
  return "store_failed";
}

/** A closed handle or a wrong argument does not get better by trying again. */
function isFinal(error: Error): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof RangeError ||
    (error instanceof TypeError && !/database|disk/.test(error.message));
}
