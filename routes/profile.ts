import { Session } from "node:inspector/promises";
import { HttpError } from "./http_error.ts";
import { PROFILE_RETRY_SECONDS } from "./limits.ts";

let isRunning = false;

/**
 * Takes a CPU profile of this thread with V8's own profiler.
 *
 * @param seconds How long; shorter if the signal aborts
 * @returns The JSON of a `.cpuprofile` file
 * @throws {HttpError} 409 while another profile is being taken, 503 without the permission
 */
export async function takeProfile(seconds: number, signal: AbortSignal): Promise<string> {
  if (isRunning) {
    throw new HttpError(409, "profile_running", "another profile is being taken: wait for it");
  }
  isRunning = true;
  const session = new Session();
  try {
    session.connect();
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, seconds * 1_000);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      }, { once: true });
    });
    const { profile } = await session.post("Profiler.stop");
    return JSON.stringify(profile);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HttpError(503, "profiler_unavailable", "start Marquee with --allow-sys=inspector", {
      headers: { "retry-after": String(PROFILE_RETRY_SECONDS) },
    });
  } finally {
    isRunning = false;
    session.disconnect();
  }
}
